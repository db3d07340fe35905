package placement

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	entsecret "weir/controlplane/store/ent/secret"
	"weir/shared/id"
	"weir/shared/secret"
)

// secrets checks that every secret the configuration refers to can be opened by
// the workspace's plane, and keeps the new ones. New ones that the
// configuration does not refer to are left out.
func (p *placement) secrets(ctx context.Context, plane string) error {
	have, err := p.stored(ctx)
	if err != nil {
		return err
	}
	given := map[secret.Name]Secret{}
	for _, s := range p.commit.Secrets {
		given[s.Name] = s
	}
	var creates []*ent.SecretCreate
	for ref := range p.commit.Config.Secrets() {
		s, known := have[ref.Name]
		if !known {
			s, known = given[ref.Name]
			if known {
				create, err := p.keep(s)
				if err != nil {
					return err
				}
				creates = append(creates, create)
			}
		}
		p.verify(ref.Path, s, known, ref.Ref, plane)
	}
	if len(p.problems) > 0 {
		return nil
	}
	for some := range slices.Chunk(creates, database.Batch) {
		if err := p.tx.Secret.CreateBulk(some...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// verify adds what is wrong with the secret behind a reference.
func (p *placement) verify(path string, s Secret, known bool, ref secret.Ref, plane string) {
	switch {
	case !known:
		p.add(path, "secret_missing", "Version %d of this secret was never stored. Send its value sealed.", ref.Version)
	case s.Fingerprint != ref.Fingerprint:
		p.add(path, "secret_version_taken", "Version %d of this secret has another value. Send the new one as a higher version.", ref.Version)
	case len(s.Sealed[id.Plane(plane)]) == 0:
		p.add(path, "secret_not_sealed", "This secret is not sealed for plane %s. Seal it again as a higher version.", plane)
	}
}

func (p *placement) keep(s Secret) (*ent.SecretCreate, error) {
	sealed, err := json.Marshal(s.Sealed)
	if err != nil {
		return nil, fmt.Errorf("encode envelopes: %w", err)
	}
	return p.tx.Secret.Create().SetWorkspaceID(string(s.Name.Workspace)).SetFamily(string(s.Name.Family)).SetObjectID(s.Name.Object).
		SetField(s.Name.Field).SetVersion(s.Name.Version).SetFingerprint(s.Fingerprint).SetSealed(string(sealed)).SetCreatedAt(p.now), nil
}

// stored returns the workspace's secrets by name.
func (p *placement) stored(ctx context.Context) (map[secret.Name]Secret, error) {
	rows, err := p.tx.Secret.Query().Where(entsecret.WorkspaceID(string(p.commit.Workspace))).All(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[secret.Name]Secret, len(rows))
	for _, r := range rows {
		s, err := SecretOf(r)
		if err != nil {
			return nil, err
		}
		out[s.Name] = s
	}
	return out, nil
}

// SecretOf reads a row.
func SecretOf(row *ent.Secret) (Secret, error) {
	s := Secret{
		Name: secret.Name{
			Workspace: id.Workspace(row.WorkspaceID), Family: secret.Family(row.Family), Object: row.ObjectID,
			Field: row.Field, Version: row.Version,
		},
		Fingerprint: row.Fingerprint, CreatedAt: row.CreatedAt.UTC(),
	}
	if err := json.Unmarshal([]byte(row.Sealed), &s.Sealed); err != nil {
		return Secret{}, fmt.Errorf("decode the envelopes of a secret of %s: %w", row.ObjectID, err)
	}
	return s, nil
}
