// Lint rules of this project. `pure/no-clock-no-chance`: outside `live/`, `main.ts` and tests,
// code of the daemons is given its time and its chance; it never asks for them.

import { isPure } from "./pure_files.ts";

const BANNED = new Map([
  ["Date.now", "take `now` as an argument"],
  ["Math.random", "take a Prng (core/prng.ts) as an argument"],
  ["performance.now", "take `now` as an argument"],
]);

const plugin: Deno.lint.Plugin = {
  name: "pure",
  rules: {
    "no-clock-no-chance": {
      create(context) {
        if (!isPure(context.filename)) return {};
        return {
          MemberExpression(node) {
            if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
            const name = `${node.object.name}.${node.property.name}`;
            const hint = BANNED.get(name);
            if (hint) context.report({ node, message: `${name} in a pure file: ${hint}` });
          },
          NewExpression(node) {
            if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
            if (node.arguments.length > 0) return;
            context.report({
              node,
              message: "new Date() in a pure file: take `now` as an argument",
            });
          },
        };
      },
    },
  },
};

export default plugin;
