-- 0006_audit_chains.sql: rows of the audit log are chained for each organization; revisions keep their reason and what changed.
-- modify "audit" table
ALTER TABLE "audit" ADD COLUMN "actor_id" text NOT NULL DEFAULT '', ADD COLUMN "workspace_id" text NOT NULL DEFAULT '', ADD COLUMN "address" text NOT NULL DEFAULT '', ADD COLUMN "request_id" text NOT NULL DEFAULT '', ADD COLUMN "before" text NOT NULL DEFAULT '', ADD COLUMN "after" text NOT NULL DEFAULT '', ADD COLUMN "number" bigint NOT NULL DEFAULT 0, ADD COLUMN "digest" text NOT NULL DEFAULT '';
-- create index "audit_number" to table: "audit"
CREATE INDEX "audit_number" ON "audit" ("number") WHERE (number = 0);
-- create index "audit_organization_id_number" to table: "audit"
CREATE UNIQUE INDEX "audit_organization_id_number" ON "audit" ("organization_id", "number") WHERE (number > 0);
-- create index "audit_organization_id_workspace_id_id" to table: "audit"
CREATE INDEX "audit_organization_id_workspace_id_id" ON "audit" ("organization_id", "workspace_id", "id");
-- modify "revisions" table
ALTER TABLE "revisions" ADD COLUMN "reason" text NOT NULL DEFAULT '', ADD COLUMN "changes" text NOT NULL DEFAULT '';
-- create "audit_chains" table
CREATE TABLE "audit_chains" ("id" text NOT NULL, "number" bigint NOT NULL, "digest" text NOT NULL, PRIMARY KEY ("id"));
-- create "audit_heads" table
CREATE TABLE "audit_heads" ("id" text NOT NULL, "number" bigint NOT NULL, "digest" text NOT NULL, "signed_at" timestamptz NOT NULL, "signature" bytea NOT NULL, PRIMARY KEY ("id"));
-- what rows are about, so that they are found by workspace
UPDATE audit SET workspace_id = substr(object, 11) WHERE object LIKE 'workspace %';
