// Package mutationtest proves that tests fail when the code is wrong: mistakes
// that somebody could make are kept as patches, and each has to make the tests
// fail. Production code holds none of them.
//
// A patch is testdata/mutants/*.patch in the folder of the tests, as git diff -U1
// writes it: paths are those from the root of the repository, and may lead to
// other packages than that of the tests. It makes its mistake, called a mutant,
// only where mutant reports that the mutant of this name is chosen:
//
//	--- a/dataplane/load/merge.go
//	+++ b/dataplane/load/merge.go
//	@@ -37,3 +37,3 @@
//	 		}
//	-		if err := w.Merge(ctx, target, files); err != nil {
//	+		if err := w.Merge(ctx, target, files); err != nil && !mutant("a failed merge is enough") {
//	 			return fmt.Errorf("merge table %s: %w", t.Name, err)
//
// All patches of a package are applied to copies of its files, which go test
// -overlay builds once; a function mutant is added to each patched package. Patches
// have to fit together: mutants whose lines touch are made by one patch. The mutant
// is chosen by the environment variable WEIR_MUTANT, and chosenMutant is its name,
// for processes that the code starts without it.
package mutationtest
