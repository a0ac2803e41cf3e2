/* Start-up code: the MicroBlaze starts at address 0, with interrupts off. Sets up a stack, and
   calls main(). */

   .section .start, "ax"
   bri   _start             /* 0x00: reset */
   .ascii "PYNQ"            /* 0x04: marks a program for an IOP */
   .word _image_end         /* 0x08: its length in bytes, for the loader to check */
                            /* 0x08 to 0x27: vectors that an IOP does not enable */
   .globl _start
   .type  _start, @function
_start:
   la    r1, r0, _stack_top /* the stack grows down from the mailbox */
   la    r5, r0, _bss_start
   la    r6, r0, _bss_end
1: cmpu  r7, r6, r5         /* C variables without a value start at zero, after every reset */
   bgei  r7, 2f
   swi   r0, r5, 0
   brid  1b
   addik r5, r5, 4
2: brlid r15, main
   nop
3: bri   3b                 /* if main() returns, stay here */
   .size  _start, . - _start
