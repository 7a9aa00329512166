import { text } from "./shape.ts";

/**
 * What a replica is called: `<app>.<number>`, or what the tower makes of a v1 registration. An app's
 * name has 63 characters at most, and a number that an app's life does not use up has 15.
 */
export const REPLICA_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$/;

/** The same as a part of a message. */
export const replicaId = text(80, REPLICA_ID);
