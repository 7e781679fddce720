// Bundles the components of src into dist: `npm run build`. With --check nothing is written, and it fails where dist
// is not what src makes.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const COMPONENTS = {
  canvas: here('src/canvas/index.js'),
  checkpoints: here('src/checkpoints.js'),
  compare: here('src/compare.js'),
  confirm: here('src/confirm.js'),
  learn: here('src/learn.js'),
  place: here('src/place.js'),
  table: here('src/table.js'),
};

/** The bundles: file name -> text. */
async function bundle() {
  const { outputFiles } = await build({
    entryPoints: COMPONENTS,
    outdir: here('dist'),
    absWorkingDir: here('.'), // paths in comments do not depend on where this runs
    bundle: true,
    write: false,
    minify: true, // the page carries a copy for each component on it
    format: 'iife',
    globalName: 'component', // app/web/__init__.py calls its default export
    target: 'es2022',
    supported: { 'template-literal': false }, // Gradio's templates run what stands in ${...}: leave none
    banner: { js: '// Made from app/web/src by "npm run build": do not edit.' },
  });
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
}

/** What lies in dist: file name -> text. */
async function committed() {
  const names = await readdir(here('dist'));
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(here(`dist/${name}`), 'utf8')])));
}

async function write(bundles) {
  await rm(here('dist'), { recursive: true, force: true });
  await mkdir(here('dist'));
  for (const [name, text] of bundles) await writeFile(here(`dist/${name}`), text);
}

async function check(bundles) {
  const found = await committed();
  const names = new Set([...bundles.keys(), ...found.keys()]);
  const stale = [...names].filter((name) => bundles.get(name) !== found.get(name));
  if (!stale.length) return;
  console.error(`app/web/dist is not what app/web/src makes (${stale.join(', ')}): run "npm run build".`);
  process.exitCode = 1;
}

const bundles = await bundle();
await (process.argv.includes('--check') ? check(bundles) : write(bundles));
