package store

import (
	"context"

	"weir/controlplane/store/ent"
)

// EnsureSetting returns the value of key, and sets it to value first when there
// is none: of several processes that start at once all get the same one. The
// audit log shows the key, not the value.
func (s *Store) EnsureSetting(ctx context.Context, who Actor, key string, value []byte) ([]byte, error) {
	var out []byte
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		row, err := tx.Setting.Get(ctx, key)
		if err == nil {
			out = row.Value
			return trail{}, nil
		}
		if !ent.IsNotFound(err) {
			return trail{}, err
		}
		out = value
		return trail{Action: "setting.set", Object: "setting " + key}, tx.Setting.Create().SetID(key).SetValue(value).Exec(ctx)
	})
	if err != nil {
		return nil, wrap(err, "set %s", key)
	}
	return out, nil
}
