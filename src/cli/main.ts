// The entry: nothing but the version is answered here, so that `rota --version` loads next to nothing.
declare const ROTA_VERSION: string

const argv = process.argv.slice(2)
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V'))
  process.stdout.write(`rota ${ROTA_VERSION}\n`)
else {
  const { main } = await import('./program.ts')
  const exit = await main(argv, ROTA_VERSION)
  // Shells and connections that were told to close are not waited for: on a slow link that is a round trip for nothing.
  process.stderr.write('', () => process.stdout.write('', () => process.exit(exit)))
}
