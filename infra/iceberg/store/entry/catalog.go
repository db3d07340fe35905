package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	restcatalog "github.com/apache/iceberg-go/catalog/rest"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// tables are a catalogue, as far as it is needed.
type tables interface {
	table.CatalogIO
	// create makes a table, and its namespace where that is missing.
	create(ctx context.Context, ident table.Identifier, schema *iceberg.Schema, spec *iceberg.PartitionSpec, location string, props iceberg.Properties) (*table.Table, error)
	// test says whether a table could be made.
	test(ctx context.Context, namespace string) error
}

// files is a catalogue that is nothing but the tables' own files, laid out as Hadoop's is: the
// metadata of each change is metadata/vN.metadata.json, and metadata/version-hint.text says
// which N there was of late. Two that make the same change are told apart by the store, which
// writes an object only where there is none.
//
// Source: https://iceberg.apache.org/spec/#file-system-tables
type files struct {
	h        *host
	location string
}

func (f *files) at(ident table.Identifier) string {
	return f.location + "/" + strings.Join(ident, "/")
}

func version(at string, n int) string { return fmt.Sprintf("%s/metadata/v%d.metadata.json", at, n) }

// newest finds the newest metadata of a table, and its number.
func (f *files) newest(at string) (content []byte, n int, err error) {
	hint, err := f.h.ReadFile(at + "/metadata/version-hint.text")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	if err == nil {
		if n, err = strconv.Atoi(strings.TrimSpace(string(hint))); err != nil || n < 1 {
			return nil, 0, fail(codeSchema, "%s/metadata/version-hint.text holds no number: put that of the newest vN.metadata.json there", at)
		}
		content, err = f.h.ReadFile(version(at, n))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, 0, fail(codeSchema, "%s is missing, which version-hint.text names", version(at, n))
		}
		if err != nil {
			return nil, 0, err
		}
	}
	for { // a writer may have died before it wrote the hint
		next, err := f.h.ReadFile(version(at, n+1))
		switch {
		case errors.Is(err, fs.ErrNotExist) && n == 0:
			return nil, 0, catalog.ErrNoSuchTable
		case errors.Is(err, fs.ErrNotExist):
			return content, n, nil
		case err != nil:
			return nil, 0, err
		}
		content, n = next, n+1
	}
}

func (f *files) of(ident table.Identifier, meta table.Metadata, n int) *table.Table {
	return table.New(ident, meta, version(f.at(ident), n), func(context.Context) (iceio.IO, error) { return f.h, nil }, f)
}

// LoadTable implements table.CatalogIO.
func (f *files) LoadTable(_ context.Context, ident table.Identifier) (*table.Table, error) {
	content, n, err := f.newest(f.at(ident))
	if err != nil {
		return nil, err
	}
	meta, err := table.ParseMetadataBytes(content)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", version(f.at(ident), n), err)
	}
	return f.of(ident, meta, n), nil
}

// CommitTable implements table.CatalogIO.
func (f *files) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	content, n, err := f.newest(f.at(ident))
	if err != nil {
		return nil, "", err
	}
	base, err := table.ParseMetadataBytes(content)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", version(f.at(ident), n), err)
	}
	for _, r := range reqs {
		if err := r.Validate(base); err != nil {
			return nil, "", fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
		}
	}
	next, err := table.UpdateTableMetadata(base, updates, version(f.at(ident), n))
	if err != nil {
		return nil, "", err
	}
	if next.Location() != base.Location() {
		return nil, "", fail(codeSchema, "the table cannot be moved")
	}
	return next, version(f.at(ident), n+1), f.put(f.at(ident), n+1, next)
}

// put writes a version, which must not be there.
func (f *files) put(at string, n int, meta table.Metadata) error {
	content, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	_, err = f.h.do(http.MethodPut, version(at, n), content, true)
	if errors.Is(err, errThere) {
		return table.ErrCommitFailed
	}
	if err != nil {
		return err
	}
	return f.h.WriteFile(at+"/metadata/version-hint.text", []byte(strconv.Itoa(n)))
}

func (f *files) create(_ context.Context, ident table.Identifier, schema *iceberg.Schema, spec *iceberg.PartitionSpec, _ string, props iceberg.Properties) (*table.Table, error) {
	meta, err := table.NewMetadata(schema, spec, table.UnsortedSortOrder, f.at(ident), props)
	if err != nil {
		return nil, err
	}
	err = f.put(f.at(ident), 1, meta)
	if errors.Is(err, table.ErrCommitFailed) {
		return nil, catalog.ErrTableAlreadyExists
	}
	if err != nil {
		return nil, err
	}
	return f.of(ident, meta, 1), nil
}

func (f *files) test(context.Context, string) error { return nil }

// server is a catalogue that is a server of Iceberg's REST interface.
type server struct {
	*restcatalog.Catalog
}

func openREST(ctx context.Context, h *host, r *rest) (*server, error) {
	options := []restcatalog.Option{restcatalog.WithCustomTransport(h.transport()), restcatalog.WithWarehouseLocation(r.Warehouse)}
	if r.Token != "" {
		options = append(options, restcatalog.WithOAuthToken(r.Token))
	}
	if r.Credential != "" {
		options = append(options, restcatalog.WithCredential(r.Credential), restcatalog.WithScope(r.Scope))
	}
	if r.AuthURL != "" {
		u, err := url.Parse(r.AuthURL)
		if err != nil {
			return nil, fmt.Errorf("the address of tokens: %w", err)
		}
		options = append(options, restcatalog.WithAuthURI(u))
	}
	c, err := restcatalog.NewCatalog(ctx, "weir", r.URL, options...)
	if err != nil {
		return nil, ofREST(err)
	}
	return &server{c}, nil
}

// ofREST gives an error of a server its code.
func ofREST(err error) error {
	var c *coded
	switch {
	case err == nil, errors.As(err, &c), errors.Is(err, table.ErrCommitFailed), errors.Is(err, catalog.ErrNoSuchTable), errors.Is(err, catalog.ErrTableAlreadyExists):
		return err
	case errors.Is(err, restcatalog.ErrUnauthorized), errors.Is(err, restcatalog.ErrForbidden), errors.Is(err, restcatalog.ErrAuthorizationExpired), errors.Is(err, restcatalog.ErrOAuthError):
		return &coded{codeAuth, fmt.Errorf("the catalogue refuses the plane: %w", err)}
	}
	return &coded{codeOut, fmt.Errorf("ask the catalogue: %w", err)}
}

// LoadTable implements table.CatalogIO.
func (s *server) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	t, err := s.Catalog.LoadTable(ctx, ident)
	return t, ofREST(err)
}

func (s *server) create(ctx context.Context, ident table.Identifier, schema *iceberg.Schema, spec *iceberg.PartitionSpec, location string, props iceberg.Properties) (*table.Table, error) {
	if err := s.namespace(ctx, ident[:len(ident)-1]); err != nil {
		return nil, err
	}
	options := []catalog.CreateTableOpt{catalog.WithLocation(location), catalog.WithProperties(props)}
	if spec != nil {
		options = append(options, catalog.WithPartitionSpec(spec))
	}
	t, err := s.CreateTable(ctx, ident, schema, options...)
	return t, ofREST(err)
}

// namespace makes a namespace where there is none.
func (s *server) namespace(ctx context.Context, name table.Identifier) error {
	there, err := s.CheckNamespaceExists(ctx, name)
	if err != nil || there {
		return ofREST(err)
	}
	if err := s.CreateNamespace(ctx, name, nil); err != nil && !errors.Is(err, catalog.ErrNamespaceAlreadyExists) {
		return ofREST(err)
	}
	return nil
}

func (s *server) test(ctx context.Context, namespace string) error {
	return s.namespace(ctx, table.Identifier{namespace})
}
