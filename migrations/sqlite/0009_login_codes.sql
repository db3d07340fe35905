-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_login_codes" table
CREATE TABLE `new_login_codes` (`id` text NOT NULL, `challenge` text NOT NULL, `name` text NOT NULL, `address` text NOT NULL, `agent` text NOT NULL, `state` text NOT NULL DEFAULT ('waiting'), `proof` text NOT NULL DEFAULT (''), `seconds` integer NOT NULL, `polled_at` datetime NULL, `created_at` datetime NOT NULL, `expires_at` datetime NOT NULL, `user_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `login_codes_users_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE, CONSTRAINT `login_codes_state` CHECK (state in ('waiting', 'allowed', 'refused')));
-- copy rows from old table "login_codes" to new temporary table "new_login_codes"
INSERT INTO `new_login_codes` (`id`, `challenge`, `name`, `proof`, `created_at`, `expires_at`, `user_id`) SELECT `id`, `challenge`, `name`, `proof`, `created_at`, `expires_at`, `user_id` FROM `login_codes`;
-- drop "login_codes" table after copying rows
DROP TABLE `login_codes`;
-- rename temporary table "new_login_codes" to "login_codes"
ALTER TABLE `new_login_codes` RENAME TO `login_codes`;
-- create index "logincode_challenge" to table: "login_codes"
CREATE UNIQUE INDEX `logincode_challenge` ON `login_codes` (`challenge`);
-- create index "logincode_expires_at" to table: "login_codes"
CREATE INDEX `logincode_expires_at` ON `login_codes` (`expires_at`);
-- create index "logincode_user_id" to table: "login_codes"
CREATE INDEX `logincode_user_id` ON `login_codes` (`user_id`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
