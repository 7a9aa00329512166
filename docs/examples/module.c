/* A module of WASI preview 1: no network, no files but those that its sandbox grants. */
#include <stdio.h>
#include <unistd.h>

int main(int count, char **words) {
  (void)words;
  printf("hello from a module, %d words\n", count);
  fflush(stdout);
  for (;;) sleep(60);
}
