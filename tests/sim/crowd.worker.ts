import type { Brief, Task } from "./crowd.ts";
import { worldOf } from "./kinds.ts";
import { simulate } from "./world.ts";

declare const self: {
  onmessage: (event: MessageEvent<Task>) => void;
  postMessage(briefs: Brief[]): void;
};

self.onmessage = ({ data }: MessageEvent<Task>) => {
  const briefs: Brief[] = [];
  for (let seed = data.from; seed < data.to; seed++) {
    const { plan: _, story: __, ...brief } = simulate(worldOf(data.kind, seed, data.choice));
    briefs.push(brief);
    if (brief.violation !== null) break;
  }
  self.postMessage(briefs);
};
