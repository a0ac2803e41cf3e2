/* The mailbox: how Python and the IOP talk. This is its one definition; a test compares Python's.
 *
 * Words of 32 bits in the last 4 KB of the IOP's 64 KB memory (BRAM), which both sides see:
 *   MicroBlaze  0xF000 + 4 * word
 *   Linux       0x4000F000 + 4 * word, for the IOP at Pmod A
 *
 * A request: Python writes ARRAY_LENGTH and INIT_DATA, then BUFFER_ADDR, which starts it.
 * The answer: the IOP writes STATUS, then sets BUFFER_ADDR to 0.
 */
#define MAILBOX_BASE 0xF000u
#define MAILBOX_DATA(word) mailbox[word]  /* a name first: GCC then reports a missing ; before it */

static volatile unsigned *const mailbox = (volatile unsigned *)MAILBOX_BASE;

#define BUFFER_ADDR  0  /* physical address of the buffer, in bytes; 0: no request */
#define ARRAY_LENGTH 1  /* how many 32-bit words to write */
#define INIT_DATA    2  /* the first word's value; word i gets INIT_DATA + i, modulo 2^32 */
#define STATUS       3  /* one of: */

#define STATUS_READY   1  /* the IOP takes requests, and has served the last one */
#define STATUS_REFUSED 2  /* the last request could never be right; nothing was written */
