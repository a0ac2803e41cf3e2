/* Functions that GCC calls by itself, whatever a program includes: for `unsigned count[64] = {0};`,
   to copy a struct, and after an error that the compiler has seen. They are linked only into a
   program that calls one of them, and a program's own function of the same name replaces them. */
#include <stddef.h>

/* Otherwise GCC would turn the loop in memset() into a call of memset(). */
#pragma GCC optimize("no-tree-loop-distribute-patterns", "no-unroll-loops")
#define PROVIDED __attribute__((weak))

void *memset(void *to, int value, size_t bytes);
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
int memcmp(const void *one, const void *other, size_t bytes);
void abort(void);

PROVIDED void *memset(void *to, int value, size_t bytes)
{
   unsigned char *at = to;

   while (bytes--)
      *at++ = (unsigned char)value;
   return to;
}

PROVIDED void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
   unsigned char *at = to;
   const unsigned char *next = from;

   while (bytes--)
      *at++ = *next++;
   return to;
}

PROVIDED void *memmove(void *to, const void *from, size_t bytes)
{
   unsigned char *at = to;
   const unsigned char *next = from;

   if (at <= next)
      while (bytes--)
         *at++ = *next++;
   else /* from the end, because the start of `to` overlaps the end of `from` */
      while (bytes--)
         at[bytes] = next[bytes];
   return to;
}

PROVIDED int memcmp(const void *one, const void *other, size_t bytes)
{
   const unsigned char *a = one, *b = other;

   for (; bytes--; a++, b++)
      if (*a != *b)
         return *a - *b;
   return 0;
}

PROVIDED void abort(void)
{
   while (1); /* Python has a timeout */
}
