package dataplane

import (
	"context"

	"weir/dataplane/enrol"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/secret"
)

// sealedFor is what the values of shared tokens are encrypted for.
const sealedFor = "weir token 1"

// tokens is how the processes of this plane share access tokens: in the event store, sealed
// for the plane.
func (d *DataPlane) tokens(k enrol.Keys) *auth.Shared {
	return &auth.Shared{
		Store: tokenTable{d.store.Table("tokens")},
		Seal: func(key string, value []byte) ([]byte, error) {
			return secret.SealTo(k.Sealing.Public(), []byte(sealedFor), []byte(key), value)
		},
		Open: func(key string, value []byte) ([]byte, error) {
			return secret.OpenWith(k.Sealing, []byte(sealedFor), []byte(key), value)
		},
	}
}

// tokenTable is an auth.Store.
type tokenTable struct{ *table.Table }

// Get implements auth.Store.
func (t tokenTable) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	d, err := t.Table.Get(ctx, key)
	return d.Value, d.Revision, err
}
