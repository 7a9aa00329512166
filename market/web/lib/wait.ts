/** What to tell a shopper who has tried too often; `seconds` as the shop said, if it did. */
export function tooMany(seconds: number | undefined): string {
  const minutes = Math.ceil((seconds ?? 0) / 60);
  const wait = minutes <= 1 ? "a minute" : `${minutes} minutes`;
  return `Too many tries. Wait ${wait}, then try again.`;
}
