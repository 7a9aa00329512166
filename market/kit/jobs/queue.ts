// What can wait is a job: written down before its sender is answered, done at least once, and tried
// again until it is done or has failed too often. Each handler therefore does a thing once, however
// often it is asked to.

import { JOB_ATTEMPTS, JOB_BACKOFF_MAX_MS, JOB_BACKOFF_MS, JOB_LEASE_MS } from "../limits.ts";

/** A job that somebody has taken on. */
export interface Job {
  /** What it is about, once for all: the same key is never queued twice. */
  readonly key: string;
  readonly kind: string;
  readonly payload: unknown;
  /** Which try this is, from 1. */
  readonly attempt: number;
}

/** A job that has failed too often: somebody has to look at it. */
export interface DeadJob {
  readonly key: string;
  readonly kind: string;
  readonly attempts: number;
  /** Why the last try failed. */
  readonly reason: string;
}

export interface JobCounts {
  readonly waiting: number;
  readonly running: number;
  readonly dead: number;
}

/**
 * waiting: until it is due -> running.
 * running: one worker has it, and says so again and again; if it falls silent -> waiting or dead.
 * done: kept for a week, so that its key is known. No exit.
 * dead: failed too often -> waiting, when somebody revives it.
 */
export interface JobQueue {
  /** Writes a job down; it is durable when this resolves. @returns false when its key is known. */
  add(kind: string, key: string, payload: unknown): Promise<boolean>;
  /** Takes at most `limit` jobs that are due. */
  take(limit: number): Promise<Job[]>;
  /** Says that a job is still being worked on. */
  touch(job: Job): Promise<void>;
  /** The job is done; nothing happens if another worker has it by now. */
  done(job: Job): Promise<void>;
  /** The try failed: once more, later, or dead when it was the last. */
  fail(job: Job, reason: string): Promise<void>;
  counts(): Promise<JobCounts>;
  /** Dead jobs, the oldest first. */
  dead(limit: number): Promise<readonly DeadJob[]>;
  /** Lets a dead job be tried again from the start; false when it is not dead. */
  revive(key: string): Promise<boolean>;
  /** Forgets what was done long ago. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export interface QueueSettings {
  /** So many tries a job has. */
  readonly attempts: number;
  /** Wait after the first failure, ms; doubled after each further one. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** A worker that was silent for so long has lost its jobs, ms. */
  readonly leaseMs: number;
  /** How often pg-boss looks for such, ms; the other queue does whenever jobs are taken. */
  readonly watchMs: number;
}

export const QUEUE_SETTINGS: QueueSettings = {
  attempts: JOB_ATTEMPTS,
  backoffMs: JOB_BACKOFF_MS,
  backoffMaxMs: JOB_BACKOFF_MAX_MS,
  leaseMs: JOB_LEASE_MS,
  watchMs: JOB_LEASE_MS,
};
