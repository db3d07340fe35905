package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/apache/iceberg-go/table/compaction"
)

// known is what a plane has to know of a table.
type known struct {
	Columns []field  `json:"columns"`
	Events  []string `json:"events,omitempty"`
	Folder  string   `json:"folder"`       // the key of the table's folder, with a slash at its end
	By      string   `json:"by,omitempty"` // day or hour: of received_at, by which it is divided
}

// field is a column.
type field struct {
	Name string `json:"name"`
	ID   int    `json:"id,omitempty"` // 0 for one that is to be made
	Type string `json:"type"`         // Iceberg's word
}

// file is a file of rows that a plane has written.
type file struct {
	Key     string `json:"key"`
	Size    int64  `json:"size"`
	Rows    int64  `json:"rows"`
	Part    *int64 `json:"part,omitempty"` // days or hours since 1970
	Columns []stat `json:"columns"`
}

// stat is what a file has of a column. Least and Most are as Iceberg's single values.
type stat struct {
	ID     int    `json:"id"`
	Values int64  `json:"values"`
	Nulls  int64  `json:"nulls"`
	Bytes  int64  `json:"bytes"`
	Least  []byte `json:"least,omitempty"`
	Most   []byte `json:"most,omitempty"`
}

// Properties of tables and snapshots of Weir's own.
const (
	eventsKey = "weir.events" // of a table: a list of names of events
	loadKey   = "weir.load"   // of a snapshot: the load that made it
)

const (
	attempts = 6             // of a commit that meets another one
	timeName = "received_at" // the column by which tables are divided
	partName = timeName + "_day"
	partID   = 1000
)

// lake is an open catalogue.
type lake struct {
	h         *host
	cat       tables
	location  string
	namespace string
}

func open(ctx context.Context, h *host, r request) (*lake, error) {
	h.root = r.Root
	// Whatever a catalogue says of where a table lies, its files are the plane's objects.
	for _, scheme := range iceio.GetRegisteredSchemes() {
		iceio.Unregister(scheme)
	}
	for _, scheme := range []string{"", "file", "s3", "s3a"} {
		iceio.Register(scheme, func(context.Context, *url.URL, map[string]string) (iceio.IO, error) { return h, nil })
	}
	l := &lake{h: h, location: r.Location, namespace: r.Namespace, cat: &files{h: h, location: r.Location}}
	if r.REST != nil {
		s, err := openREST(ctx, h, r.REST)
		if err != nil {
			return nil, err
		}
		l.cat = s
	}
	return l, nil
}

func (l *lake) do(ctx context.Context, r request) (a answer, err error) {
	switch r.Op {
	case "test":
		return answer{}, l.cat.test(ctx, l.namespace)
	case "table":
		a.Table, err = l.about(ctx, r.Table)
		return a, err
	case "settle":
		return l.settle(ctx, r)
	case "commit":
		return l.commit(ctx, r)
	case "compact":
		return l.compact(ctx, r)
	case "files":
		a.Keys, err = l.files(ctx, r.Table)
		return a, err
	}
	return answer{}, fail(codeFailed, "there is no request %q", r.Op)
}

func (l *lake) ident(name string) table.Identifier { return table.Identifier{l.namespace, name} }

func (l *lake) about(ctx context.Context, name string) (*known, error) {
	t, err := l.cat.LoadTable(ctx, l.ident(name))
	if errors.Is(err, catalog.ErrNoSuchTable) || errors.Is(err, catalog.ErrNoSuchNamespace) {
		return &known{}, nil
	}
	if err != nil {
		return nil, err
	}
	return l.known(name, t)
}

// known says what a plane has to know, and refuses a table that it cannot add rows to.
func (l *lake) known(name string, t *table.Table) (*known, error) {
	at, err := l.h.key(t.Location())
	if err != nil {
		return nil, fail(codeSchema, "the catalogue has table %s at %s: Weir adds to tables below %s alone", name, t.Location(), l.h.root)
	}
	k := &known{Folder: at + "/"}
	if text := t.Properties()[eventsKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &k.Events); err != nil {
			return nil, fail(codeSchema, "the property %s of table %s is no list of names: remove it", eventsKey, name)
		}
	}
	for _, f := range t.Schema().Fields() {
		if f.Required {
			return nil, fail(codeSchema, "column %s of table %s has to have a value, which rows of events may not have: make it optional (alter table %[2]s alter column %[1]s drop not null)", f.Name, name)
		}
		k.Columns = append(k.Columns, field{Name: f.Name, ID: f.ID, Type: f.Type.String()})
	}
	spec := t.Spec()
	if spec.IsUnpartitioned() {
		return k, nil
	}
	if part, ok := onlyPart(spec); ok {
		f, there := t.Schema().FindFieldByID(part.SourceIDs[0])
		switch part.Transform.(type) {
		case iceberg.DayTransform:
			k.By = "day"
		case iceberg.HourTransform:
			k.By = "hour"
		}
		if there && k.By != "" && f.Name == timeName && f.Type.Equals(iceberg.PrimitiveTypes.TimestampTz) {
			return k, nil
		}
	}
	return nil, fail(codeSchema, "table %s is divided by %s: Weir adds to tables without partitions, or with days or hours of %s", name, spec.String(), timeName)
}

// onlyPart is the field of a partition spec that has no other.
func onlyPart(spec iceberg.PartitionSpec) (iceberg.PartitionField, bool) {
	fields := slices.Collect(func(yield func(iceberg.PartitionField) bool) {
		for _, f := range spec.Fields() {
			if _, void := f.Transform.(iceberg.VoidTransform); !void && !yield(f) {
				return
			}
		}
	})
	if len(fields) != 1 || spec.NumFields() != 1 || len(fields[0].SourceIDs) != 1 {
		return iceberg.PartitionField{}, false
	}
	return fields[0], true
}

// has says whether a load was committed to a table.
func has(t *table.Table, load string) bool {
	for _, s := range t.Metadata().Snapshots() {
		if s.Summary != nil && s.Summary.Properties[loadKey] == load {
			return true
		}
	}
	return false
}

// again does something to a table, anew when somebody else was faster.
func (l *lake) again(ctx context.Context, name string, do func(*table.Table) error) error {
	for range attempts {
		t, err := l.cat.LoadTable(ctx, l.ident(name))
		if err == nil {
			err = do(t)
		} else if errors.Is(err, catalog.ErrNoSuchTable) || errors.Is(err, catalog.ErrNoSuchNamespace) {
			err = do(nil)
		}
		if !errors.Is(err, table.ErrCommitFailed) && !errors.Is(err, catalog.ErrTableAlreadyExists) {
			return err
		}
	}
	return fail(codeConflict, "table %s was changed by somebody else %d times while Weir committed to it", name, attempts)
}

func typeOf(word string) (iceberg.Type, error) {
	for _, t := range []iceberg.Type{iceberg.PrimitiveTypes.String, iceberg.PrimitiveTypes.Int64, iceberg.PrimitiveTypes.Float64, iceberg.PrimitiveTypes.Bool, iceberg.PrimitiveTypes.TimestampTz, iceberg.PrimitiveTypes.Int32, iceberg.PrimitiveTypes.Float32} {
		if t.String() == word {
			return t, nil
		}
	}
	return nil, fmt.Errorf("there is no type %s", word)
}

// settle makes a table, or gives it columns, wider types and the name of an event.
func (l *lake) settle(ctx context.Context, r request) (a answer, err error) {
	err = l.again(ctx, r.Table, func(t *table.Table) error {
		if t == nil {
			if t, err = l.create(ctx, r); err != nil {
				return err
			}
		} else if t, err = evolve(ctx, t, r); err != nil {
			return err
		}
		a.Committed = has(t, r.Load)
		a.Table, err = l.known(r.Table, t)
		return err
	})
	return a, err
}

func (l *lake) create(ctx context.Context, r request) (*table.Table, error) {
	var fields []iceberg.NestedField
	var spec *iceberg.PartitionSpec
	for i, c := range r.Columns {
		typ, err := typeOf(c.Type)
		if err != nil {
			return nil, err
		}
		fields = append(fields, iceberg.NestedField{ID: i + 1, Name: c.Name, Type: typ})
		if c.Name == timeName && typ.Equals(iceberg.PrimitiveTypes.TimestampTz) {
			s := iceberg.NewPartitionSpec(iceberg.PartitionField{SourceIDs: []int{i + 1}, FieldID: partID, Name: partName, Transform: iceberg.DayTransform{}})
			spec = &s
		}
	}
	props := iceberg.Properties{
		table.ManifestMergeEnabledKey:             "true",
		table.MetadataDeleteAfterCommitEnabledKey: "true",
		table.PropertyFormatVersion:               "2",
	}
	if r.Event != "" {
		text, err := json.Marshal([]string{r.Event})
		if err != nil {
			return nil, err
		}
		props[eventsKey] = string(text)
	}
	return l.cat.create(ctx, l.ident(r.Table), iceberg.NewSchema(0, fields...), spec, l.location+"/"+l.namespace+"/"+r.Table, props)
}

// evolve changes a table where it lacks something.
func evolve(ctx context.Context, t *table.Table, r request) (*table.Table, error) {
	tx, changed := t.NewTransaction(), false
	update := tx.UpdateSchema(true, false)
	for _, c := range r.Columns {
		typ, err := typeOf(c.Type)
		if err != nil {
			return nil, err
		}
		have, there := t.Schema().FindFieldByName(c.Name)
		switch {
		case !there:
			update.AddColumn([]string{c.Name}, typ, "", false, nil)
		case have.Type.Equals(typ), c.ID == 0: // somebody else was faster: the table's type counts
			continue
		default:
			update.UpdateColumn([]string{c.Name}, table.ColumnUpdate{FieldType: iceberg.Optional[iceberg.Type]{Val: typ, Valid: true}})
		}
		changed = true
	}
	if changed {
		if err := update.Commit(); err != nil {
			return nil, fail(codeSchema, "table %s cannot have such columns: %w", r.Table, err)
		}
	}
	if r.Event != "" {
		var events []string
		if text := t.Properties()[eventsKey]; text != "" {
			if err := json.Unmarshal([]byte(text), &events); err != nil {
				return nil, fail(codeSchema, "the property %s of table %s is no list of names: remove it", eventsKey, r.Table)
			}
		}
		if !slices.Contains(events, r.Event) {
			text, err := json.Marshal(append(events, r.Event))
			if err != nil {
				return nil, err
			}
			if err := tx.SetProperties(iceberg.Properties{eventsKey: string(text)}); err != nil {
				return nil, err
			}
			changed = true
		}
	}
	if !changed {
		return t, nil
	}
	return commit(ctx, tx)
}

// commit commits. An error that is no refusal may come although it was done.
func commit(ctx context.Context, tx *table.Transaction) (*table.Table, error) {
	t, err := tx.Commit(ctx)
	return t, ofREST(err)
}

// commit gives a table the files of a load, unless it has them.
func (l *lake) commit(ctx context.Context, r request) (a answer, err error) {
	if r.Load == "" {
		return a, fail(codeFailed, "a load has no name")
	}
	err = l.again(ctx, r.Table, func(t *table.Table) error {
		if t == nil {
			return fail(codeSchema, "table %s is gone", r.Table)
		}
		if a.Committed = has(t, r.Load); a.Committed {
			return nil
		}
		k, err := l.known(r.Table, t)
		if err != nil {
			return err
		}
		add, err := l.dataFiles(t, k, r.Files)
		if err != nil {
			return err
		}
		tx := t.NewTransaction()
		// Whoever was faster may have committed this load.
		if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
			return err
		}
		if err := tx.AddDataFiles(ctx, add, iceberg.Properties{loadKey: r.Load}, table.WithoutAutoNameMapping(), table.WithoutDuplicateCheck()); err != nil {
			return err
		}
		_, err = commit(ctx, tx)
		return err
	})
	return a, err
}

// dataFiles describes files as manifests do.
func (l *lake) dataFiles(t *table.Table, k *known, all []file) ([]iceberg.DataFile, error) {
	spec := t.Spec()
	var out []iceberg.DataFile
	for _, f := range all {
		parts, words := map[int]any{}, map[int]string{}
		if k.By != "" {
			id := spec.Field(0).FieldID
			switch {
			case f.Part == nil:
				parts[id] = nil
			case k.By == "day":
				parts[id] = iceberg.Date(*f.Part)
				words[id] = "date"
			default:
				parts[id] = int32(*f.Part)
			}
			if !strings.Contains(f.Key, "/data/"+timeName+"_"+k.By+"=") {
				return nil, fail(codeConflict, "the partitions of the table were changed while its rows were written")
			}
		} else if f.Part != nil {
			return nil, fail(codeConflict, "the partitions of the table were changed while its rows were written")
		}
		b, err := iceberg.NewDataFileBuilder(spec, iceberg.EntryContentData, l.h.root+"/"+f.Key, iceberg.ParquetFile, parts, words, nil, f.Rows, f.Size)
		if err != nil {
			return nil, err
		}
		sizes, values, nulls, least, most := map[int]int64{}, map[int]int64{}, map[int]int64{}, map[int][]byte{}, map[int][]byte{}
		for _, c := range f.Columns {
			sizes[c.ID], values[c.ID], nulls[c.ID] = c.Bytes, c.Values, c.Nulls
			if c.Least != nil && c.Most != nil {
				least[c.ID], most[c.ID] = c.Least, c.Most
			}
		}
		out = append(out, b.ColumnSizes(sizes).ValueCounts(values).NullValueCounts(nulls).LowerBoundValues(least).UpperBoundValues(most).Build())
	}
	return out, nil
}

// Sizes of files, in bytes. Files are in memory while they are read and written.
const (
	smallFile  = 32 << 20 // and below: worth being put into a larger one
	targetFile = 64 << 20
	fewFiles   = 4         // are left as they are
	mostBytes  = 256 << 20 // that one compaction reads
)

// compact writes small files of each day into larger ones, when as many commits were made
// as r says, and lets go of old snapshots.
func (l *lake) compact(ctx context.Context, r request) (a answer, err error) {
	t, err := l.cat.LoadTable(ctx, l.ident(r.Table))
	if err != nil {
		return a, err
	}
	if since(t) < r.Every {
		return a, nil
	}
	tasks, err := t.Scan().PlanFiles(ctx)
	if err != nil {
		return a, err
	}
	cfg := compaction.DefaultConfig()
	cfg.TargetFileSizeBytes, cfg.MinFileSizeBytes, cfg.MaxFileSizeBytes, cfg.MinInputFiles = targetFile, smallFile, 2*targetFile, fewFiles
	plan, err := cfg.PlanCompaction(tasks)
	if err != nil {
		return a, err
	}
	var groups []table.CompactionTaskGroup
	read := int64(0)
	for _, g := range plan.Groups {
		if read += g.TotalSizeBytes; read > mostBytes && len(groups) > 0 {
			break
		}
		groups = append(groups, table.CompactionTaskGroup{PartitionKey: g.PartitionKey, Tasks: g.Tasks, TotalSizeBytes: g.TotalSizeBytes})
	}
	tx := t.NewTransaction()
	if len(groups) > 0 {
		done, err := tx.RewriteDataFiles(ctx, groups, table.RewriteDataFilesOptions{GroupOptions: []table.CompactionGroupOption{
			table.WithCompactionTargetFileSize(targetFile), table.WithCompactionScanConcurrency(1),
		}})
		if err != nil {
			return a, err
		}
		if t, err = commit(ctx, tx); err != nil {
			return a, err
		}
		a.Removed, a.Added = done.RemovedDataFiles, done.AddedDataFiles
	}
	return a, expire(ctx, t, time.Duration(r.KeepMS)*time.Millisecond)
}

// since counts the commits after the last compaction.
func since(t *table.Table) (n int) {
	meta := t.Metadata()
	for s := meta.CurrentSnapshot(); s != nil; n++ {
		if s.Summary != nil && s.Summary.Operation == table.OpReplace {
			break
		}
		if s.ParentSnapshotID == nil {
			return n + 1
		}
		s = meta.SnapshotByID(*s.ParentSnapshotID)
	}
	return n
}

// expire lets go of snapshots that are older than keep, when there are some that have been so
// for a while.
func expire(ctx context.Context, t *table.Table, keep time.Duration) error {
	if keep <= 0 {
		return nil
	}
	old := time.Now().Add(-keep - keep/8).UnixMilli()
	if !slices.ContainsFunc(t.Metadata().Snapshots(), func(s table.Snapshot) bool { return s.TimestampMs < old }) {
		return nil
	}
	tx := t.NewTransaction()
	if err := tx.ExpireSnapshots(table.WithOlderThan(keep), table.WithRetainLast(1)); err != nil {
		return err
	}
	_, err := commit(ctx, tx)
	return err
}

// files are the keys of the files that the newest snapshot has.
func (l *lake) files(ctx context.Context, name string) ([]string, error) {
	t, err := l.cat.LoadTable(ctx, l.ident(name))
	if err != nil {
		return nil, err
	}
	tasks, err := t.Scan().PlanFiles(ctx)
	if err != nil {
		return nil, err
	}
	keys := []string{}
	for _, task := range tasks {
		key, err := l.h.key(task.File.FilePath())
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
