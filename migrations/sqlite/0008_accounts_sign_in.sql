-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_sessions" table
CREATE TABLE `new_sessions` (`id` text NOT NULL, `created_at` datetime NOT NULL, `expires_at` datetime NOT NULL, `sign_in` text NOT NULL DEFAULT (''), `address` text NOT NULL DEFAULT (''), `agent` text NOT NULL DEFAULT (''), `proof` text NOT NULL DEFAULT (''), `last_seen_at` datetime NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `sessions_users_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- copy rows from old table "sessions" to new temporary table "new_sessions"
INSERT INTO `new_sessions` (`id`, `created_at`, `expires_at`, `sign_in`, `address`, `agent`, `user_id`) SELECT `id`, `created_at`, `expires_at`, `sign_in`, `address`, `agent`, `user_id` FROM `sessions`;
-- drop "sessions" table after copying rows
DROP TABLE `sessions`;
-- rename temporary table "new_sessions" to "sessions"
ALTER TABLE `new_sessions` RENAME TO `sessions`;
-- create index "session_user_id" to table: "sessions"
CREATE INDEX `session_user_id` ON `sessions` (`user_id`);
-- create index "session_expires_at" to table: "sessions"
CREATE INDEX `session_expires_at` ON `sessions` (`expires_at`);
-- create index "session_sign_in" to table: "sessions"
CREATE INDEX `session_sign_in` ON `sessions` (`sign_in`);
-- create "new_api_tokens" table
CREATE TABLE `new_api_tokens` (`id` text NOT NULL, `name` text NOT NULL, `organization_id` text NOT NULL DEFAULT ('org_default'), `owner_id` text NOT NULL DEFAULT (''), `scopes` text NOT NULL DEFAULT (''), `expires_at` datetime NULL, `last_used_at` datetime NULL, `role` text NOT NULL, `workspace_id` text NOT NULL DEFAULT (''), `hash` text NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, `proof` text NOT NULL DEFAULT (''), PRIMARY KEY (`id`), CONSTRAINT `api_tokens_role` CHECK (role in ('admin', 'editor', 'viewer')));
-- copy rows from old table "api_tokens" to new temporary table "new_api_tokens"
INSERT INTO `new_api_tokens` (`id`, `name`, `organization_id`, `owner_id`, `scopes`, `expires_at`, `last_used_at`, `role`, `workspace_id`, `hash`, `created_at`, `created_by`) SELECT `id`, `name`, `organization_id`, `owner_id`, `scopes`, `expires_at`, `last_used_at`, `role`, `workspace_id`, `hash`, `created_at`, `created_by` FROM `api_tokens`;
-- drop "api_tokens" table after copying rows
DROP TABLE `api_tokens`;
-- rename temporary table "new_api_tokens" to "api_tokens"
ALTER TABLE `new_api_tokens` RENAME TO `api_tokens`;
-- create index "api_tokens_hash_key" to table: "api_tokens"
CREATE UNIQUE INDEX `api_tokens_hash_key` ON `api_tokens` (`hash`);
-- create index "apitoken_organization_id_owner_id_name" to table: "api_tokens"
CREATE UNIQUE INDEX `apitoken_organization_id_owner_id_name` ON `api_tokens` (`organization_id`, `owner_id`, `name`);
-- create index "apitoken_owner_id" to table: "api_tokens"
CREATE INDEX `apitoken_owner_id` ON `api_tokens` (`owner_id`);
-- create "new_organizations" table
CREATE TABLE `new_organizations` (`id` text NOT NULL, `name` text NOT NULL, `created_at` datetime NOT NULL, `require_code` bool NOT NULL DEFAULT (false), PRIMARY KEY (`id`));
-- copy rows from old table "organizations" to new temporary table "new_organizations"
INSERT INTO `new_organizations` (`id`, `name`, `created_at`) SELECT `id`, `name`, `created_at` FROM `organizations`;
-- drop "organizations" table after copying rows
DROP TABLE `organizations`;
-- rename temporary table "new_organizations" to "organizations"
ALTER TABLE `new_organizations` RENAME TO `organizations`;
-- create index "organizations_name_key" to table: "organizations"
CREATE UNIQUE INDEX `organizations_name_key` ON `organizations` (`name`);
-- create "authenticators" table
CREATE TABLE `authenticators` (`id` text NOT NULL, `secret` blob NOT NULL, `confirmed_at` datetime NULL, `last_step` integer NOT NULL DEFAULT (0), `created_at` datetime NOT NULL, PRIMARY KEY (`id`));
-- create "identities" table
CREATE TABLE `identities` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `organization_id` text NOT NULL, `issuer` text NOT NULL, `subject` text NOT NULL, `created_at` datetime NOT NULL, `user_id` text NOT NULL, CONSTRAINT `identities_users_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "identity_organization_id_issuer_subject" to table: "identities"
CREATE UNIQUE INDEX `identity_organization_id_issuer_subject` ON `identities` (`organization_id`, `issuer`, `subject`);
-- create index "identity_user_id" to table: "identities"
CREATE INDEX `identity_user_id` ON `identities` (`user_id`);
-- create "identity_providers" table
CREATE TABLE `identity_providers` (`id` text NOT NULL, `issuer` text NOT NULL, `client_id` text NOT NULL, `client_secret` blob NOT NULL, `domains` text NOT NULL, `role` text NOT NULL, `required` bool NOT NULL DEFAULT (false), `updated_at` datetime NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `identity_providers_issuer` CHECK (issuer <> ''));
-- create "login_codes" table
CREATE TABLE `login_codes` (`id` text NOT NULL, `challenge` text NOT NULL, `name` text NOT NULL, `proof` text NOT NULL DEFAULT (''), `created_at` datetime NOT NULL, `expires_at` datetime NOT NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `login_codes_users_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "logincode_expires_at" to table: "login_codes"
CREATE INDEX `logincode_expires_at` ON `login_codes` (`expires_at`);
-- create index "logincode_user_id" to table: "login_codes"
CREATE INDEX `logincode_user_id` ON `login_codes` (`user_id`);
-- create "recovery_codes" table
CREATE TABLE `recovery_codes` (`id` text NOT NULL, `created_at` datetime NOT NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `recovery_codes_users_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "recoverycode_user_id" to table: "recovery_codes"
CREATE INDEX `recoverycode_user_id` ON `recovery_codes` (`user_id`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
