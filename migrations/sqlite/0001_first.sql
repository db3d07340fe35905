-- create "api_tokens" table
CREATE TABLE `api_tokens` (`id` text NOT NULL, `name` text NOT NULL, `role` text NOT NULL, `hash` text NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `api_tokens_role` CHECK (role in ('admin', 'editor', 'viewer')));
-- create index "api_tokens_name_key" to table: "api_tokens"
CREATE UNIQUE INDEX `api_tokens_name_key` ON `api_tokens` (`name`);
-- create index "api_tokens_hash_key" to table: "api_tokens"
CREATE UNIQUE INDEX `api_tokens_hash_key` ON `api_tokens` (`hash`);
-- create "acks" table
CREATE TABLE `acks` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `number` integer NOT NULL, `running` integer NOT NULL, `highest` integer NOT NULL, `digest` text NOT NULL, `state` text NOT NULL, `problems` text NOT NULL, `acked_at` datetime NOT NULL, `plane_id` text NOT NULL, `workspace_id` text NOT NULL, CONSTRAINT `acks_planes_plane` FOREIGN KEY (`plane_id`) REFERENCES `planes` (`id`) ON DELETE CASCADE, CONSTRAINT `acks_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE, CONSTRAINT `acks_highest` CHECK (highest >= number and highest >= running), CONSTRAINT `acks_state` CHECK (state in ('applied', 'rejected')));
-- create index "ack_plane_id_workspace_id" to table: "acks"
CREATE UNIQUE INDEX `ack_plane_id_workspace_id` ON `acks` (`plane_id`, `workspace_id`);
-- create index "ack_workspace_id" to table: "acks"
CREATE INDEX `ack_workspace_id` ON `acks` (`workspace_id`);
-- create "audit" table
CREATE TABLE `audit` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `at` datetime NOT NULL, `actor` text NOT NULL, `action` text NOT NULL, `object` text NOT NULL, `detail` text NOT NULL);
-- create "idempotency_keys" table
CREATE TABLE `idempotency_keys` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `actor` text NOT NULL, `key` text NOT NULL, `request` text NOT NULL, `status` integer NOT NULL DEFAULT (0), `etag` text NOT NULL DEFAULT (''), `body` blob NULL, `created_at` datetime NOT NULL);
-- create index "idempotencykey_actor_key" to table: "idempotency_keys"
CREATE UNIQUE INDEX `idempotencykey_actor_key` ON `idempotency_keys` (`actor`, `key`);
-- create index "idempotencykey_created_at" to table: "idempotency_keys"
CREATE INDEX `idempotencykey_created_at` ON `idempotency_keys` (`created_at`);
-- create "invitations" table
CREATE TABLE `invitations` (`id` text NOT NULL, `region` text NOT NULL, `kind` text NOT NULL, `organization` text NOT NULL, `created_at` datetime NOT NULL, `expires_at` datetime NOT NULL, `used_by` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `invitations_kind` CHECK (kind in ('regional', 'private')));
-- create index "invitation_expires_at" to table: "invitations"
CREATE INDEX `invitation_expires_at` ON `invitations` (`expires_at`);
-- create "objects" table
CREATE TABLE `objects` (`id` text NOT NULL, `kind` text NOT NULL, `workspace_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `objects_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE, CONSTRAINT `objects_kind` CHECK (kind in ('source', 'destination', 'transformation')));
-- create index "object_workspace_id" to table: "objects"
CREATE INDEX `object_workspace_id` ON `objects` (`workspace_id`);
-- create "planes" table
CREATE TABLE `planes` (`id` text NOT NULL, `name` text NOT NULL, `region` text NOT NULL, `kind` text NOT NULL, `organization` text NOT NULL, `identity_key` blob NOT NULL, `sealing_key` blob NOT NULL, `sealing_key_signature` blob NOT NULL, `nats_key` text NOT NULL, `gateway_url` text NOT NULL, `view_url` text NOT NULL, `version` text NOT NULL, `kinds` text NOT NULL, `joined_at` datetime NOT NULL, `last_beat` datetime NULL, `healthy` bool NOT NULL DEFAULT (false), `alarms` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `planes_kind` CHECK (kind in ('regional', 'private')), CONSTRAINT `planes_region` CHECK (region <> ''));
-- create index "planes_name_key" to table: "planes"
CREATE UNIQUE INDEX `planes_name_key` ON `planes` (`name`);
-- create index "planes_identity_key_key" to table: "planes"
CREATE UNIQUE INDEX `planes_identity_key_key` ON `planes` (`identity_key`);
-- create index "planes_sealing_key_key" to table: "planes"
CREATE UNIQUE INDEX `planes_sealing_key_key` ON `planes` (`sealing_key`);
-- create index "planes_nats_key_key" to table: "planes"
CREATE UNIQUE INDEX `planes_nats_key_key` ON `planes` (`nats_key`);
-- create index "plane_region" to table: "planes"
CREATE INDEX `plane_region` ON `planes` (`region`);
-- create "revisions" table
CREATE TABLE `revisions` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `number` integer NOT NULL, `digest` text NOT NULL, `body` blob NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, `workspace_id` text NOT NULL, CONSTRAINT `revisions_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE, CONSTRAINT `revisions_digest` CHECK (length(digest) = 64), CONSTRAINT `revisions_number` CHECK (number > 0));
-- create index "revision_workspace_id_number" to table: "revisions"
CREATE UNIQUE INDEX `revision_workspace_id_number` ON `revisions` (`workspace_id`, `number`);
-- create "secrets" table
CREATE TABLE `secrets` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `destination_id` text NOT NULL, `field` text NOT NULL, `version` integer NOT NULL, `fingerprint` text NOT NULL, `sealed` text NOT NULL, `created_at` datetime NOT NULL, `workspace_id` text NOT NULL, CONSTRAINT `secrets_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE, CONSTRAINT `secrets_version` CHECK (version > 0));
-- create index "secret_workspace_id_destination_id_field_version" to table: "secrets"
CREATE UNIQUE INDEX `secret_workspace_id_destination_id_field_version` ON `secrets` (`workspace_id`, `destination_id`, `field`, `version`);
-- create "sessions" table
CREATE TABLE `sessions` (`id` text NOT NULL, `created_at` datetime NOT NULL, `expires_at` datetime NOT NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `sessions_users_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "session_user_id" to table: "sessions"
CREATE INDEX `session_user_id` ON `sessions` (`user_id`);
-- create index "session_expires_at" to table: "sessions"
CREATE INDEX `session_expires_at` ON `sessions` (`expires_at`);
-- create "settings" table
CREATE TABLE `settings` (`id` text NOT NULL, `value` blob NOT NULL, PRIMARY KEY (`id`));
-- create "counts" table
CREATE TABLE `counts` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `source_id` text NOT NULL, `destination_id` text NOT NULL, `book` text NOT NULL, `plane_id` text NOT NULL, `workspace_id` text NOT NULL, CONSTRAINT `counts_planes_plane` FOREIGN KEY (`plane_id`) REFERENCES `planes` (`id`) ON DELETE CASCADE, CONSTRAINT `counts_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE);
-- create index "tally_plane_id_workspace_id_source_id_destination_id" to table: "counts"
CREATE UNIQUE INDEX `tally_plane_id_workspace_id_source_id_destination_id` ON `counts` (`plane_id`, `workspace_id`, `source_id`, `destination_id`);
-- create index "tally_workspace_id" to table: "counts"
CREATE INDEX `tally_workspace_id` ON `counts` (`workspace_id`);
-- create "users" table
CREATE TABLE `users` (`id` text NOT NULL, `email` text NOT NULL, `password_hash` text NOT NULL, `role` text NOT NULL, `created_at` datetime NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `users_role` CHECK (role in ('admin', 'editor', 'viewer')));
-- create index "users_email_key" to table: "users"
CREATE UNIQUE INDEX `users_email_key` ON `users` (`email`);
-- create "workspaces" table
CREATE TABLE `workspaces` (`id` text NOT NULL, `name` text NOT NULL, `region` text NOT NULL, `number` integer NOT NULL, `seen` integer NOT NULL DEFAULT (0), `digest` text NOT NULL, `created_at` datetime NOT NULL, `deleted_at` datetime NULL, `plane_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `workspaces_planes_plane` FOREIGN KEY (`plane_id`) REFERENCES `planes` (`id`) ON DELETE RESTRICT, CONSTRAINT `workspaces_name` CHECK (name <> ''), CONSTRAINT `workspaces_number` CHECK (number > 0));
-- create index "workspace_name" to table: "workspaces"
CREATE UNIQUE INDEX `workspace_name` ON `workspaces` (`name`) WHERE deleted_at IS NULL;
-- create index "workspace_plane_id" to table: "workspaces"
CREATE INDEX `workspace_plane_id` ON `workspaces` (`plane_id`);
-- create "write_keys" table
CREATE TABLE `write_keys` (`id` text NOT NULL, `workspace_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `write_keys_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE);
-- create index "writekey_workspace_id" to table: "write_keys"
CREATE INDEX `writekey_workspace_id` ON `write_keys` (`workspace_id`);
