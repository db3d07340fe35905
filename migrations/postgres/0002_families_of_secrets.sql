-- 0002_families_of_secrets.sql: a secret belongs to a source or a destination.
-- drop index "secret_workspace_id_destination_id_field_version"
DROP INDEX "secret_workspace_id_destination_id_field_version";
-- modify "secrets" table: what is there belongs to destinations
ALTER TABLE "secrets" RENAME COLUMN "destination_id" TO "object_id";
ALTER TABLE "secrets" ADD COLUMN "family" text NOT NULL DEFAULT 'destination', ADD CONSTRAINT "secrets_family" CHECK (family in ('source', 'destination'));
ALTER TABLE "secrets" ALTER COLUMN "family" DROP DEFAULT;
-- create index "secret_workspace_id_family_object_id_field_version" to table: "secrets"
CREATE UNIQUE INDEX "secret_workspace_id_family_object_id_field_version" ON "secrets" ("workspace_id", "family", "object_id", "field", "version");
