-- modify "login_codes" table
ALTER TABLE "login_codes" ADD CONSTRAINT "login_codes_state" CHECK (state = ANY (ARRAY['waiting'::text, 'allowed'::text, 'refused'::text])), ALTER COLUMN "user_id" DROP NOT NULL, ADD COLUMN "address" text NOT NULL, ADD COLUMN "agent" text NOT NULL, ADD COLUMN "state" text NOT NULL DEFAULT 'waiting', ADD COLUMN "seconds" bigint NOT NULL, ADD COLUMN "polled_at" timestamptz NULL;
-- create index "logincode_challenge" to table: "login_codes"
CREATE UNIQUE INDEX "logincode_challenge" ON "login_codes" ("challenge");
