-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_api_tokens" table
CREATE TABLE `new_api_tokens` (`id` text NOT NULL, `name` text NOT NULL, `role` text NOT NULL, `workspace_id` text NOT NULL DEFAULT (''), `hash` text NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `api_tokens_role` CHECK (role in ('admin', 'editor', 'viewer')));
-- copy rows from old table "api_tokens" to new temporary table "new_api_tokens"
INSERT INTO `new_api_tokens` (`id`, `name`, `role`, `hash`, `created_at`, `created_by`) SELECT `id`, `name`, `role`, `hash`, `created_at`, `created_by` FROM `api_tokens`;
-- drop "api_tokens" table after copying rows
DROP TABLE `api_tokens`;
-- rename temporary table "new_api_tokens" to "api_tokens"
ALTER TABLE `new_api_tokens` RENAME TO `api_tokens`;
-- create index "api_tokens_name_key" to table: "api_tokens"
CREATE UNIQUE INDEX `api_tokens_name_key` ON `api_tokens` (`name`);
-- create index "api_tokens_hash_key" to table: "api_tokens"
CREATE UNIQUE INDEX `api_tokens_hash_key` ON `api_tokens` (`hash`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
