/* What GCC calls by itself, whatever a program includes: for `unsigned counts[64] = {0};`, for one struct that becomes another,
   and where a program would go on after an error that the compiler saw. A program that calls none of these gets none of them,
   and one that has a function of such a name keeps its own. */
#include <stddef.h>

/* Or GCC would make a call of memset() out of the loop in memset(). */
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
   else /* from the end, or it would read what it wrote before */
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
