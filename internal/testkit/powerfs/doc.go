// Package powerfs is a file system whose power fails. It keeps, for every
// sector, size and directory entry, what is durable and what was only written;
// when the power fails, the durable part survives and of the rest what the
// disk happened to have written.
//
//	drive := powerfs.Start(t, powerfs.Options{})
//	drive.CutAfter(37)          // the 37th change from now finds no power
//	… write below drive.Dir() until it fails, close …
//	drive.Remount(seed)         // what survived, under the same path
//
// What is durable: a file's content and size after fsync of the file (or
// fdatasync), a directory's entries after fsync of the directory. POSIX promises
// no more, and this is the default; Journaled is what ext4 does (entries and
// sizes in order, and any fsync makes those before it durable). Of the rest each
// sector of 512 bytes, each size and each entry keeps any of the values that it
// has had since: so writes are lost, reordered and torn, a rename may show both
// names or none, a new file may be there without its content. Only a truncation
// is there with its size or not at all: no file system leaves holes in its place.
// Torn and InOrder are milder. Lying answers fsync and forgets it: no program
// survives that, and a test that does not notice it tests nothing.
//
// After the cut nothing is written any more (EIO). Reads are still answered, so
// that a process with a mapped file can end in order; what it reads then is
// nobody's promise.
//
// The file system runs in a child process: a page fault on a mapped file blocks
// a thread that the Go scheduler believes to be running, and one that waits for
// a file system in its own process waits for ever. The child is this test
// binary, so TestMain of a package that uses this calls ServeIfChild first.
package powerfs
