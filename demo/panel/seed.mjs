// `npm run prisma:seed`: brings the admin's login in line with ADMIN_EMAIL and ADMIN_PASSWORD.
import { hashPassword } from './credentials.mjs'
import { seed } from './database.mjs'
import { readSettings } from './settings.mjs'

const settings = readSettings()
await seed(settings.databaseUrl, settings.adminEmail, hashPassword(settings.adminPassword))
process.stdout.write(`seeded ${settings.adminEmail}\n`)
