/** What sealed secrets are called, and what their boxes are for. */

/** 1 to 253 characters; the manifest's own form. */
export const SECRET_NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,252}$/;

/** The context of a box that an operator seals to the cluster. */
export function storeContext(namespace: string, secret: string): string {
  return `skr8tr secret ${namespace} ${secret}`;
}

/** The context of a box that the conductor seals to a node for one replica. */
export function handContext(node: string, replica: string, variable: string): string {
  return `skr8tr secret for ${node} ${replica} ${variable}`;
}

/** Under which a secret is kept. */
export function secretKey(namespace: string, secret: string): string {
  return `${namespace} ${secret}`;
}

/** What a manifest's `secret` gives to a variable: `NAME`, or `file NAME`. */
export interface SecretUse {
  readonly secret: string;
  /** The variable holds the path of a file with the secret, instead of the secret. */
  readonly file: boolean;
}

export function secretUseOf(value: string): SecretUse {
  return value.startsWith("file ")
    ? { secret: value.slice(5).trim(), file: true }
    : { secret: value, file: false };
}
