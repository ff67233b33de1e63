// The entry: nothing but the version is answered here, so that `rota --version` loads next to nothing.
declare const ROTA_VERSION: string
export const version = ROTA_VERSION

const argv = process.argv.slice(2)
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V'))
  process.stdout.write(`rota ${version}\n`)
else {
  const { main } = await import('./program.ts')
  process.exitCode = await main(argv, version)
}
