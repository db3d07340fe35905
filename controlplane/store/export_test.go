package store

import (
	"context"

	"weir/migrations"
)

// Migrate runs migrations of a test's making.
func (s *Store) Migrate(ctx context.Context, list []migrations.Migration) error {
	return s.db.Migrate(ctx, list)
}
