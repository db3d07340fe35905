// Command migrate writes what store/schema has and the migrations have not as
// the next numbered file, for SQLite and for Postgres. Run it in the folder
// controlplane, after the generator. Where only one dialect changes the other
// gets a file of that number that says so. Without a difference it writes
// nothing; with -check it then exits 0, and 1 when there is one.
//
//	go run ./store/migrate add_labels
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"text/template"

	"ariga.io/atlas/sql/migrate"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/schema"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	entmigrate "weir/controlplane/store/ent/migrate"
	"weir/shared/postgrestest"
)

// body writes a comment line and a statement for each change.
const body = "{{ range .Changes }}{{ with .Comment }}-- {{ . }}\n{{ end }}{{ .Cmd }};\n{{ end }}"

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,60}$`)

func main() {
	dir := flag.String("dir", "../migrations", "the folder with sqlite/ and postgres/")
	check := flag.Bool("check", false, "write nothing, fail when something is missing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dir, flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, name string, check bool) error {
	if check {
		name = "missing"
	}
	if !validName.MatchString(name) {
		return fmt.Errorf("the name %q is not snake_case: migrate add_labels", name)
	}
	// atlas looks for drivers under names of its own.
	sql.Register("sqlite3", &sqlite.Driver{})
	sql.Register("postgres", stdlib.GetDefaultDriver())
	server, err := postgrestest.Start(ctx, "")
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()

	work, err := os.MkdirTemp("", "weir-migrate-")
	if err != nil {
		return fmt.Errorf("make a folder to work in: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		return fmt.Errorf("copy %s: %w", dir, err)
	}
	number, err := next(work)
	if err != nil {
		return err
	}
	file := fmt.Sprintf("%04d_%s.sql", number, name)
	urls := map[string]string{
		dialect.SQLite:   "sqlite://file?mode=memory&_pragma=foreign_keys(1)",
		dialect.Postgres: server.URL("postgres"),
	}
	wrote := 0
	for d, url := range urls {
		if err := diff(ctx, d, url, filepath.Join(work, folder(d)), number, name); err != nil {
			return fmt.Errorf("compare %s: %w", d, err)
		}
		if _, err := os.Stat(filepath.Join(work, folder(d), file)); err == nil {
			wrote++
		}
	}
	switch {
	case wrote == 0:
		fmt.Println("the migrations say what the schema says")
		return nil
	case check:
		return errors.New("store/schema has changes that no migration has: make migration NAME=what_it_does")
	}
	return publish(work, dir, file)
}

func folder(d string) string {
	if d == dialect.SQLite {
		return "sqlite"
	}
	return "postgres"
}

// next returns the number after the highest one of both dialects.
func next(dir string) (int, error) {
	most := 0
	for _, d := range []string{"sqlite", "postgres"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return 0, fmt.Errorf("make %s: %w", d, err)
		}
		found, err := filepath.Glob(filepath.Join(dir, d, "*.sql"))
		if err != nil {
			return 0, fmt.Errorf("list %s: %w", d, err)
		}
		for _, f := range found {
			var n int
			if _, err := fmt.Sscanf(filepath.Base(f), "%04d_", &n); err != nil {
				return 0, fmt.Errorf("%s does not begin with four digits: %w", f, err)
			}
			most = max(most, n)
		}
	}
	return most + 1, nil
}

// diff replays the migrations of a dialect on an empty database and writes the
// difference to the schema into the same folder.
func diff(ctx context.Context, d, url, path string, number int, name string) error {
	local, err := migrate.NewLocalDir(path)
	if err != nil {
		return err
	}
	formatter, err := migrate.NewTemplateFormatter(
		template.Must(template.New("name").Parse(fmt.Sprintf("%04d_{{ .Name }}.sql", number))),
		template.Must(template.New("body").Parse(body)))
	if err != nil {
		return err
	}
	return entmigrate.NamedDiff(ctx, url, name, schema.WithDir(local), schema.WithMigrationMode(schema.ModeReplay),
		schema.WithDialect(d), schema.WithFormatter(formatter))
}

// publish copies the new file and the sums of both dialects back to dir.
func publish(work, dir, file string) error {
	for _, d := range []string{"sqlite", "postgres"} {
		local, err := migrate.NewLocalDir(filepath.Join(work, d))
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(work, d, file)); errors.Is(err, os.ErrNotExist) {
			if err := local.WriteFile(file, []byte("-- Nothing to do for this database.\n")); err != nil {
				return err
			}
		}
		sum, err := local.Checksum()
		if err != nil {
			return err
		}
		if err := migrate.WriteSumFile(local, sum); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
		for _, f := range []string{file, "atlas.sum"} {
			text, err := os.ReadFile(filepath.Join(work, d, f))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, d, f), text, 0o644); err != nil {
				return err
			}
		}
		fmt.Println(filepath.Join(dir, d, file))
	}
	return nil
}
