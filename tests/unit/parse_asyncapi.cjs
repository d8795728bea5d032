// Parses an AsyncAPI document: node parse_asyncapi.cjs FOLDER_WITH_NODE_MODULES DOCUMENT
// Prints {"channels": N, "problems": [...]}, errors and warnings alone; exits with 1 when refused.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join, resolve } = require("node:path");

const [folder, file] = process.argv.slice(2);
const load = createRequire(join(resolve(folder), "package.json"));
const { Parser } = load("@asyncapi/parser");
const { AvroSchemaParser } = load("@asyncapi/avro-schema-parser");

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
parser.parse(readFileSync(file, "utf8")).then(({ document, diagnostics }) => {
  const problems = diagnostics
    .filter((found) => found.severity <= 1)
    .map((found) => `${found.path.join("/")}: ${found.message}`);
  console.log(JSON.stringify({ channels: document ? document.allChannels().length : 0, problems }));
  process.exitCode = document ? 0 : 1;
});
