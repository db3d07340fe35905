package natsstore

// Raise raises the limits of logs that may hold total together.
func (s *Store) Raise(total int64) error { return s.raise(total) }
