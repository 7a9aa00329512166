import { PASSWORD_HASHES_AT_ONCE } from "../../kit/limits.ts";

/** What one hash costs (RFC 7914): memory is 128 * blocks * cost bytes. */
export interface PasswordCost {
  readonly cost: number;
  readonly blocks: number;
  readonly parallel: number;
}

/** OWASP's password storage advice for scrypt: 32 MiB, about 0.2 s here. */
export const PASSWORD_COST: PasswordCost = { cost: 2 ** 15, blocks: 8, parallel: 3 };

const SALT_BYTES = 16;
const HASH_BYTES = 32;

export interface Passwords {
  /** `scrypt$cost$blocks$parallel$salt$hash`, with a salt of its own. */
  hash(password: string): Promise<string>;
  /** Whether the password is the one hashed; takes as long when there is none to compare with. */
  verify(password: string, hashed: string | undefined): Promise<boolean>;
}

/** Creates the hasher; few hashes run at once, so that sign-ins cannot exhaust the memory. */
export function createPasswords(cost: PasswordCost = PASSWORD_COST): Passwords {
  const waiting: (() => void)[] = [];
  let running = 0;
  const derive = async (password: string, salt: Uint8Array, with_: PasswordCost) => {
    if (running >= PASSWORD_HASHES_AT_ONCE) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running++;
    }
    try {
      return await scrypt(password, salt, with_);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
  return {
    async hash(password) {
      const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
      const hash = await derive(password, salt, cost);
      return `scrypt$${cost.cost}$${cost.blocks}$${cost.parallel}$${salt.toHex()}$${hash.toHex()}`;
    },
    async verify(password, hashed) {
      const nobody = `scrypt$${cost.cost}$${cost.blocks}$${cost.parallel}$00$00`;
      const parts = (hashed ?? nobody).split("$");
      const [costN, blocks, parallel] = parts.slice(1, 4).map(Number);
      const salt = Uint8Array.fromHex(parts[4]!);
      const expected = Uint8Array.fromHex(parts[5]!);
      const actual = await derive(password, salt, {
        cost: costN!,
        blocks: blocks!,
        parallel: parallel!,
      });
      const { timingSafeEqual } = await import("node:crypto");
      return expected.length === actual.length && timingSafeEqual(expected, actual);
    },
  };
}

/** Whether two texts are the same password, whichever way their characters are composed. */
export function samePassword(one: string, other: string): boolean {
  return normalized(one) === normalized(other);
}

function normalized(password: string): string {
  return password.normalize("NFKC");
}

async function scrypt(
  password: string,
  salt: Uint8Array,
  { cost, blocks, parallel }: PasswordCost,
): Promise<Uint8Array> {
  // Imported when first needed: it would be a third of the service's start.
  const { scrypt } = await import("node:crypto");
  const options = { N: cost, r: blocks, p: parallel, maxmem: 256 * cost * blocks };
  return await new Promise((resolve, reject) =>
    scrypt(
      normalized(password),
      salt,
      HASH_BYTES,
      options,
      (error, key) => error ? reject(error) : resolve(new Uint8Array(key)),
    )
  );
}
