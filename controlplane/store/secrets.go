package store

import (
	"context"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	entsecret "weir/controlplane/store/ent/secret"
	"weir/controlplane/store/placement"
	"weir/shared/id"
)

// Secrets returns every stored version of every secret of a workspace, by
// family, object, field and version.
func (s *Store) Secrets(ctx context.Context, ws id.Workspace) ([]Secret, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Secret, error) {
		rows, err := s.ent.Secret.Query().Where(entsecret.WorkspaceID(string(ws))).
			Order(ent.Asc(entsecret.FieldFamily, entsecret.FieldObjectID, entsecret.FieldField, entsecret.FieldVersion)).All(ctx)
		if err != nil {
			return nil, err
		}
		out := make([]Secret, len(rows))
		for i, r := range rows {
			one, err := placement.SecretOf(r)
			if err != nil {
				return nil, err
			}
			out[i] = Secret(one)
		}
		return out, nil
	})
}
