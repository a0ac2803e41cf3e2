/* The IOP's program: fills a buffer in DDR with counting numbers, when the mailbox asks for it. */
#include "mailbox.h"

#define DDR_WINDOW 0x20000000u  /* the MicroBlaze sees physical address p at p | DDR_WINDOW */
#define DDR_SIZE   0x20000000u  /* bytes: 512 MB on a PYNQ-Z1 and PYNQ-Z2 */

/* Whether a request lies in DDR: an address beyond it would alias into it, and no memory answers to
   one that is not a multiple of 4. Which part of DDR is a buffer, Linux alone knows. */
static int in_ddr(unsigned address, unsigned length)
{
   return address % 4 == 0 && address < DDR_SIZE && length <= (DDR_SIZE - address) / 4;
}

int main(void)
{
   MAILBOX_DATA(BUFFER_ADDR) = 0;       /* what an earlier program may have left is no request */
   MAILBOX_DATA(STATUS) = STATUS_READY; /* wait for this: an earlier request is lost */

   while (1) {
      unsigned address, length, data, i;

      while ((address = MAILBOX_DATA(BUFFER_ADDR)) == 0); /* wait for a buffer's address */
      length = MAILBOX_DATA(ARRAY_LENGTH);
      data = MAILBOX_DATA(INIT_DATA);

      if (in_ddr(address, length)) {
         volatile unsigned *buffer = (volatile unsigned *)(address | DDR_WINDOW);
         for (i = 0; i < length; i++)
            buffer[i] = data + i;
         MAILBOX_DATA(STATUS) = STATUS_READY;
      } else {
         MAILBOX_DATA(STATUS) = STATUS_REFUSED;
      }
      MAILBOX_DATA(BUFFER_ADDR) = 0; /* done: Python waits for this */
   }
}
