// Where an artifact lies on a node, and what is asked for to get it there. Nothing is fetched here.

import { sha256Hex } from "../core/bytes.ts";
import type { AppSpec, ArtifactSpec } from "../core/manifest/spec.ts";

/** An artifact that can be fetched: its digest is signed. */
export type SignedArtifact =
  & ArtifactSpec
  & Required<Pick<ArtifactSpec, "sha256" | "bytes" | "form">>;

/** The artifact of an app as it can be fetched; `null` for an app without. */
export function artifactOf(spec: AppSpec): SignedArtifact | null {
  const { artifact } = spec;
  if (!artifact) return null;
  const { sha256, bytes, form } = artifact;
  if (sha256 === undefined || bytes === undefined || form === undefined) return null;
  return { ...artifact, sha256, bytes, form };
}

/** Why an app's artifact cannot be fetched, or `null`. */
export function artifactFault(spec: AppSpec): string | null {
  return spec.artifact && !artifactOf(spec)
    ? "its artifact has no digest that an operator signed; skr8tr up adds it"
    : null;
}

/** `${ARTIFACT}`: one folder for each content and the name that it gets. */
export function artifactFolder(root: string, artifact: SignedArtifact): string {
  const place = sha256Hex(`${artifact.form}/${placeOf(artifact)}`).slice(0, 8);
  return `${root}/${artifact.sha256}.${place}`;
}

/**
 * Where its content stands below `${ARTIFACT}`: a file under its own name, a folder's content right
 * there, unless `to` says otherwise. Empty: the folder itself.
 */
export function placeOf({ form, from, to }: Pick<SignedArtifact, "form" | "from" | "to">): string {
  if (to !== undefined) return to.replace(/\/+$/, "");
  return form === "folder" ? "" : from.split("/").filter((part) => part !== "").at(-1) ?? "file";
}

/** The next wait for an artifact that nobody gave, in ms. */
export function nextWaitMs(waitMs: number | undefined, minMs: number, maxMs: number): number {
  return waitMs === undefined ? minMs : Math.min(maxMs, waitMs * 2);
}
