-- add column "started_at" to table: "sessions"
ALTER TABLE `sessions` ADD COLUMN `started_at` datetime NULL;
