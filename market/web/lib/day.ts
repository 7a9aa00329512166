/** An ISO 8601 time as a day, in UTC so that everybody sees the same: `Jan 17, 2026`. */
export function day(time: string): string {
  return new Date(time).toLocaleDateString("en-US", { dateStyle: "medium", timeZone: "UTC" });
}
