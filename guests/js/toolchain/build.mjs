// Bundles an actor's sources and makes a component of them: what `theater build` runs for JavaScript.
//
//     node build.mjs REQUEST.json
//
// The request says where everything is; the answer goes into the file that it names. A mistake of the
// user's is an answer too, with its file and line. Whatever else goes wrong is on standard error.

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { placeOf } from "../theater-guest/traces.js";

const BUNDLE = "actor.mjs"; // as the SDK's traces.js knows it
const MAKERS = { quickjs, spidermonkey };
const FRAME = /(?:^|[(@\s/])actor\.mjs:(\d+):(\d+)\)?/;

const request = JSON.parse(await readFile(process.argv[2], "utf8"));
const toolchain = createRequire(path.join(request.toolchain, "package.json"));
await writeFile(request.answer, JSON.stringify(await make()));

async function make() {
  const bundled = await bundle();
  if (bundled.errors) return { errors: bundled.errors };
  const source = path.join(request.scratch, BUNDLE);
  await writeFile(source, bundled.text);
  try {
    await writeFile(request.output, await MAKERS[request.engine](source, bundled.text));
  } catch (error) {
    return { failure: told(String(error?.message ?? error), bundled.map) };
  }
  return {};
}

async function bundle() {
  const esbuild = toolchain("esbuild");
  const lowered = request.engine === "quickjs";
  try {
    const made = await esbuild.build({
      entryPoints: [request.entry],
      outfile: path.join(request.scratch, "bundle", BUNDLE),
      absWorkingDir: request.project,
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      target: "es2024",
      mainFields: ["module", "main"],
      conditions: ["module", "import"],
      nodePaths: [request.modules],
      alias: request.alias,
      external: ["theater:*", "wasi:*"],
      // Nobody runs the promises of QuickJS: async functions become generators over the SDK's own.
      supported: lowered
        ? { "async-await": false, "async-generator": false, "for-await": false, "top-level-await": false }
        : { "top-level-await": false },
      define: { "process.env.NODE_ENV": '"production"' },
      loader: { ".txt": "text", ".md": "text", ".json": "json" },
      sourcemap: "external",
      sourcesContent: false,
      keepNames: true,
      charset: "utf8",
      legalComments: "none",
      logLevel: "silent",
    });
    const found = (extension) => made.outputFiles.find((file) => file.path.endsWith(extension)).text;
    const map = mapOf(JSON.parse(found(".map")));
    return { map, text: `${found(".mjs")}\nglobalThis.__theater_sources = ${JSON.stringify(map)};\n` };
  } catch (error) {
    if (!Array.isArray(error?.errors)) throw error;
    return { errors: error.errors.map(mistake) };
  }
}

function mistake({ text, location, notes }) {
  const place = location && {
    file: path.resolve(request.project, location.file),
    line: location.line,
    column: location.column + 1,
    source: location.lineText,
  };
  return { text, ...place, notes: (notes ?? []).map((note) => note.text) };
}

/** The source map with the user's files by their names in the project, and all others without one. */
function mapOf({ sources, mappings }) {
  const folder = path.join(request.scratch, "bundle");
  return {
    sources: sources.map((source) => {
      const relative = path.relative(request.project, path.resolve(folder, source));
      return relative.startsWith("..") || relative.split(path.sep).includes("node_modules") ? "" : relative;
    }),
    mappings,
  };
}

async function quickjs(source, text) {
  const { componentize } = toolchain("componentize-qjs");
  const { component } = await componentize({
    witPath: request.wit,
    world: request.world,
    jsSource: text,
    jsPath: source,
    sync: true,
  });
  return component;
}

async function spidermonkey(source) {
  // By its path: the package is for `import` only, which finds packages beside the importing file.
  const tool = "node_modules/@bytecodealliance/componentize-js/src/componentize.js";
  const { componentize } = await import(pathToFileURL(path.join(request.toolchain, tool)));
  const { component } = await componentize({
    sourcePath: source,
    witPath: request.wit,
    worldName: request.world,
    disableFeatures: ["http", "fetch-event"],
  });
  return component;
}

/** What a tool says of an error in the bundle, with the places in the user's files. */
function told(message, map) {
  const places = [];
  for (const text of message.split("\n")) {
    const [, row, column] = FRAME.exec(text) ?? [];
    const place = row && placeOf(map, Number(row), Number(column));
    if (place) places.push({ file: path.join(request.project, place.file), line: place.line });
  }
  return { text: message, places };
}
