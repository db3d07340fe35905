package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/dataplane/pull"
	"weir/dataplane/sources/postgres/session"
	"weir/shared/catalog/streams"
	"weir/shared/delay"
)

// Times of slots: how long another reader of one may take to go, and how long the server
// may take to make one, for which transactions that go on have to end.
const (
	freeTime = 20 * time.Second
	makeTime = 5 * time.Minute
)

// oldest is the version of the oldest server whose publications are fit.
// Source: publish_via_partition_root in https://www.postgresql.org/docs/13/release-13.html
const oldest = 130000

// prefix is what names of the source's slots begin with.
func (r *replica) prefix() string {
	name := strings.ReplaceAll(string(r.d.Source), "-", "_")
	return "weir_" + name[:min(len(name), 40)] + "_"
}

// wire signs in for replication.
func (r *replica) wire(ctx context.Context) (*session.Session, error) {
	x, err := session.Dial(ctx, r.s.server(r.d), session.Forms(map[string]string{"replication": "database"}))
	var f *pull.Failure
	switch {
	case !errors.As(err, &f):
	case f.Code == pull.CodeRefused && strings.Contains(f.Text, "may not connect"): // statements may, on the same way
		return nil, r.denied()
	case f.Code == pull.CodeUnreachable:
		f.Text += " Replication does not go through a pooler, and takes one of max_wal_senders."
	}
	return x, err
}

func (r *replica) denied() error {
	return &pull.Failure{Code: pull.CodeRefused, Text: "The user may not replicate. Run: ALTER ROLE " + quote(r.s.User) + " REPLICATION; or, at Amazon RDS, GRANT rds_replication TO " + quote(r.s.User) + ";"}
}

// make makes the publication where there is none, and a new slot: before it, what is left
// of former ones of this source is dropped. It returns the slot's name and from where on it
// has all changes.
func (r *replica) make(ctx context.Context, x *session.Session) (slot string, at pglogrepl.LSN, err error) {
	level, version, published, complete := "", 0, false, false
	err = x.Query(ctx, "", `select current_setting('wal_level'), current_setting('server_version_num'), p.pubname is not null, p.pubinsert and p.pubupdate and p.pubdelete
		from (select 1) one left join pg_catalog.pg_publication p on p.pubname = $1`, []string{r.s.Publication}, func(row [][]byte) error {
		level, published, complete = string(row[0]), string(row[2]) == "t", string(row[3]) == "t"
		_, err := fmt.Sscan(string(row[1]), &version)
		return err
	})
	switch {
	case err != nil:
		return "", 0, err
	case version < oldest:
		return "", 0, &pull.Failure{Code: pull.CodeRefused, Text: "Logical replication needs Postgres 13 or newer: set replication to cursor."}
	case level != "logical":
		return "", 0, &pull.Failure{Code: pull.CodeRefused, Text: "The server keeps no changes for replication. Run: ALTER SYSTEM SET wal_level = logical; and start it anew. Services have a parameter for that, such as rds.logical_replication."}
	case published && !complete:
		return "", 0, &pull.Failure{Code: pull.CodeRefused, Text: "The publication leaves changes out. Run: ALTER PUBLICATION " + quote(r.s.Publication) + " SET (publish = 'insert, update, delete, truncate');"}
	case !published:
		const with = " WITH (publish_via_partition_root = true)"
		if err := x.Quiet(ctx, "", "CREATE PUBLICATION "+quote(r.s.Publication)+with); err != nil {
			var all []string
			for _, name := range slices.Sorted(maps.Keys(r.s.Tables)) {
				schema, table, ok := strings.Cut(name, ".")
				if !ok {
					schema, table = x.Schema, name
				}
				all = append(all, quote(schema)+"."+quote(table))
			}
			return "", 0, &pull.Failure{Code: pull.CodeRefused, Text: "There is no publication. Run as the tables' owner: CREATE PUBLICATION " + quote(r.s.Publication) + " FOR TABLE " + strings.Join(all[:min(len(all), 20)], ", ") + with + ";"}
		}
	}
	if err := r.discard(ctx, x); err != nil {
		return "", 0, err
	}
	w, err := r.wire(ctx)
	if err != nil {
		return "", 0, err
	}
	defer w.Close()
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails
	slot = r.prefix() + hex.EncodeToString(random[:])
	ctx, cancel := context.WithTimeout(ctx, makeTime)
	defer cancel()
	made, err := pglogrepl.CreateReplicationSlot(ctx, w.Conn, slot, "pgoutput", pglogrepl.CreateReplicationSlotOptions{Mode: pglogrepl.LogicalReplication, SnapshotAction: "NOEXPORT_SNAPSHOT"})
	var p *pgconn.PgError
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", 0, &pull.Failure{Code: pull.CodeUnreachable, Text: "The slot was not made in time: a transaction goes on that began before. See xact_start in pg_stat_activity."}
	case errors.As(err, &p) && p.Code == "42501":
		return "", 0, r.denied()
	case errors.As(err, &p) && p.Code == "53400":
		return "", 0, &pull.Failure{Code: pull.CodeRefused, Text: "The server has no slot left: drop one that nobody reads, or raise max_replication_slots."}
	case err != nil:
		return "", 0, w.Failure(ctx, "", err)
	}
	if at, err = pglogrepl.ParseLSN(made.ConsistentPoint); err != nil {
		return "", 0, &pull.Failure{Code: pull.CodeAnswer, Text: "The server does not say where the slot begins."}
	}
	return slot, at, nil
}

// names are the streams of the tables.
func (r *replica) names() (all []string) {
	for name := range r.s.Tables {
		all = append(all, streams.Named(name))
	}
	return all
}

// discard drops the source's slots.
func (r *replica) discard(ctx context.Context, x *session.Session) error {
	var names []string
	err := x.Query(ctx, "", "select slot_name from pg_catalog.pg_replication_slots where starts_with(slot_name, $1) and database = current_database()", []string{r.prefix()}, func(row [][]byte) error {
		names = append(names, string(row[0]))
		return nil
	})
	for _, name := range names {
		if err == nil {
			err = r.drop(ctx, x, name)
		}
	}
	return err
}

// drop drops a slot; one that is gone is dropped.
func (r *replica) drop(ctx context.Context, x *session.Session, slot string) error {
	if err := r.free(ctx, x, slot); err != nil {
		return err
	}
	return x.Quiet(ctx, "", "select pg_drop_replication_slot(slot_name) from pg_catalog.pg_replication_slots where slot_name = $1", slot)
}

// free ends another reader of a slot, which is one of this source's: a process that died
// and whose connection the server has not missed yet.
func (r *replica) free(ctx context.Context, x *session.Session, slot string) error {
	for end := time.Now().Add(freeTime); ; {
		active := false
		err := x.Query(ctx, "", "select pg_terminate_backend(active_pid) from pg_catalog.pg_replication_slots where slot_name = $1 and active_pid is not null", []string{slot}, func([][]byte) error {
			active = true
			return nil
		})
		switch {
		case err != nil || !active:
			return err
		case time.Now().After(end) || !delay.For(ctx, 50*time.Millisecond):
			return &pull.Failure{Code: pull.CodeUnreachable, Text: "Another connection reads the slot " + slot + "."}
		}
	}
}

// looked is what the server says of a slot.
type looked struct {
	lost   string // why it is of no use any more; "": it is
	status string // in the server's word
	held   int64  // bytes of changes that the server keeps for it
	now    pglogrepl.LSN
}

// look asks for a slot. One for which the server keeps more than the limit is dropped.
func (r *replica) look(ctx context.Context, x *session.Session, slot string) (l looked, err error) {
	found, now := false, ""
	err = x.Query(ctx, "", `select coalesce(s.wal_status, ''), coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint, 0), pg_current_wal_lsn(), s.slot_name is not null
		from (select 1) one left join pg_catalog.pg_replication_slots s on s.slot_name = $1 and s.database = current_database()`, []string{slot}, func(row [][]byte) error {
		l.status, now, found = string(row[0]), string(row[2]), string(row[3]) == "t"
		_, err := fmt.Sscan(string(row[1]), &l.held)
		return err
	})
	if err != nil {
		return l, err
	}
	if l.now, err = pglogrepl.ParseLSN(now); err != nil {
		return l, &pull.Failure{Code: pull.CodeAnswer, Text: "The server does not say how far it is."}
	}
	limit := r.s.SlotLimit << 20
	switch {
	case !found:
		l.lost = "The slot is gone from the server."
	case l.status == "lost":
		l.lost = "The server removed changes that were not read: raise max_slot_wal_keep_size."
	case limit > 0 && l.held > limit:
		l.lost = fmt.Sprintf("The server kept %d MiB of changes, more than the setting slotLimit, so the slot was dropped.", l.held>>20)
	default:
		return l, nil
	}
	if found {
		err = r.drop(ctx, x, slot)
	}
	return l, err
}
