// Writes src/api/openapi.gen.ts: the schemas of openapi.json. The calls are left out: the page has its own (calls.ts).
import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const description = JSON.parse(await readFile('openapi.json', 'utf8'));
const schemas = await openapiTS({ ...description, paths: {} }, { silent: true });
await writeFile('src/api/openapi.gen.ts', `// Made by \`npm run types\` from openapi.json.\n${astToString(schemas)}`);
