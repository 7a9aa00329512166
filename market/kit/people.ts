// What the shop knows of people, checked the same way wherever it comes in.

import { type Checked, optional, shape, text } from "./validate.ts";

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Letters of any script, and what stands between them in names. */
export const PERSON_NAME = text({
  max: 100,
  pattern: /^[\p{L}\p{M}][\p{L}\p{M}\p{N} .,'’-]*$/u,
  meaning: "a name: letters, digits, blanks and . , ' -",
});

export const EMAIL = text({
  min: 3,
  max: 254,
  pattern:
    /^[\w.!#$%&*+/=?^`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/i,
  meaning: "an email address",
});

const ADDRESS_LINE = text({
  max: 120,
  pattern: /^[\p{L}\p{M}\p{N} .,'’/#&()°º-]+$/u,
  meaning: "letters, digits, blanks and . , ' / # & ( ) -",
});

export const ADDRESS = shape({
  name: PERSON_NAME,
  line1: ADDRESS_LINE,
  line2: optional(ADDRESS_LINE),
  city: ADDRESS_LINE,
  postal_code: text({
    max: 12,
    pattern: /^[A-Za-z0-9][A-Za-z0-9 -]*$/,
    meaning: "letters, digits, blanks and -",
  }),
  country: text({ min: 2, max: 2, pattern: /^[A-Z]{2}$/, meaning: "two capital letters" }),
});

export type Address = Checked<typeof ADDRESS>;
