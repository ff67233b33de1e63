// The entry: nothing but the version is answered here, so that `rota --version` loads next to nothing. The rest is a file of its own
// (scripts/build.mjs), which is not compiled anew each time.
import { homedir } from 'node:os'
import { join } from 'node:path'

declare const ROTA_VERSION: string
/** The hash of program.cjs. */
declare const ROTA_BUILD: string

/** In the user's own cache folder, never in /tmp, where somebody else could have put it. */
function cacheFolder(): string {
  const given = process.env['XDG_CACHE_HOME']
  return join(given?.startsWith('/') ? given : join(homedir(), '.cache'), 'rota')
}

const argv = process.argv.slice(2)
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V'))
  process.stdout.write(`rota ${ROTA_VERSION}\n`)
else {
  const { openProgram } = await import('./code-cache.ts')
  // Each of these uses other parts; the rest share one file.
  const command = argv[0]?.match(/^(run|exec|inventory|vault)$/)?.[0] ?? 'rota'
  const name = `${command}-${ROTA_BUILD}-${process.version}-${process.arch}`
  const program = openProgram(join(import.meta.dirname, 'program.cjs'), cacheFolder(), name)
  const { main } = program.exports as typeof import('./program.ts')
  const exit = await main(argv, ROTA_VERSION)
  program.keep()
  // Shells and connections that were told to close are not waited for: on a slow link that is a round trip for nothing.
  process.stderr.write('', () => process.stdout.write('', () => process.exit(exit)))
}
