//go:build linux

package powerfs

import (
	"context"
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// node is a file as FUSE sees it.
type node struct {
	fs.Inode
	disk *Disk
	file *file
}

var _ interface {
	fs.NodeLookuper
	fs.NodeReaddirer
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeCreater
	fs.NodeMkdirer
	fs.NodeLinker
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeOpener
	fs.NodeReader
	fs.NodeWriter
	fs.NodeFsyncer
	fs.NodeAllocater
	fs.NodeStatfser
} = (*node)(nil)

// mount brings the disk up at dir. The kernel may keep everything it has seen:
// nobody else changes the disk. Locks are the kernel's own.
func mount(disk *Disk, dir string) error {
	forever := 24 * time.Hour
	root := &node{disk: disk, file: disk.files[rootID]}
	_, err := fs.Mount(dir, root, &fs.Options{
		MountOptions: fuse.MountOptions{
			FsName: fsName, Name: fsName, DirectMountStrict: true, DisableXAttrs: true, MaxWrite: 1 << 20,
		},
		EntryTimeout: &forever, AttrTimeout: &forever, NullPermissions: true,
		RootStableAttr: &fs.StableAttr{Ino: rootID},
	})
	return err
}

// fsName is the type of the mount in /proc/self/mountinfo, behind "fuse.".
const fsName = "powerfs"

func (n *node) attributes(out *fuse.Attr) {
	f := n.file
	out.Ino, out.Mode, out.Nlink = f.id, f.mode&0o7777|f.kind(), uint32(f.links)
	out.Size = uint64(f.size.now())
	out.Blocks, out.Blksize = uint64(len(f.sectors)), 4096
	out.SetTimes(&f.mtime, &f.mtime, &f.mtime)
}

func (f *file) kind() uint32 {
	if f.dir {
		return syscall.S_IFDIR
	}
	return syscall.S_IFREG
}

func (n *node) locked(fn func() syscall.Errno) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	return fn()
}

func (n *node) child(ctx context.Context, f *file, out *fuse.EntryOut) *fs.Inode {
	child := &node{disk: n.disk, file: f}
	child.attributes(&out.Attr)
	return n.NewInode(ctx, child, fs.StableAttr{Mode: f.kind(), Ino: f.id})
}

// Lookup implements fs.NodeLookuper.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (found *fs.Inode, errno syscall.Errno) {
	errno = n.locked(func() syscall.Errno {
		f := n.disk.lookup(n.file, name)
		if f == nil {
			return syscall.ENOENT
		}
		found = n.child(ctx, f, out)
		return 0
	})
	return found, errno
}

// Readdir implements fs.NodeReaddirer.
func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	var entries []fuse.DirEntry
	errno := n.locked(func() syscall.Errno {
		for _, name := range slices.Sorted(maps.Keys(n.file.names)) {
			if f := n.disk.lookup(n.file, name); f != nil {
				entries = append(entries, fuse.DirEntry{Name: name, Ino: f.id, Mode: f.kind()})
			}
		}
		return 0
	})
	return fs.NewListDirStream(entries), errno
}

// Getattr implements fs.NodeGetattrer.
func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.locked(func() syscall.Errno {
		n.attributes(&out.Attr)
		return 0
	})
}

// Setattr implements fs.NodeSetattrer. Times given from outside are not kept.
func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := n.disk.Do(Op{Kind: Truncate, File: n.file.id, Off: int64(size)}); errno != 0 {
			return errno
		}
	}
	if mode, ok := in.GetMode(); ok {
		_ = n.locked(func() syscall.Errno {
			n.file.mode = mode
			return 0
		})
	}
	return n.Getattr(ctx, f, out)
}

func (n *node) make(ctx context.Context, name string, dir bool, mode uint32, out *fuse.EntryOut) (made *fs.Inode, errno syscall.Errno) {
	errno = n.locked(func() syscall.Errno {
		id := n.disk.lastID + 1
		errno := n.disk.do(Op{Kind: Make, File: n.file.id, Name: name, To: id, Dir: dir, Mode: mode})
		if errno == 0 {
			made = n.child(ctx, n.disk.files[id], out)
		}
		return errno
	})
	return made, errno
}

// Create implements fs.NodeCreater.
func (n *node) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	made, errno := n.make(ctx, name, false, mode, out)
	return made, nil, fuse.FOPEN_KEEP_CACHE, errno
}

// Mkdir implements fs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.make(ctx, name, true, mode, out)
}

// Link implements fs.NodeLinker.
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (linked *fs.Inode, errno syscall.Errno) {
	errno = n.locked(func() syscall.Errno {
		f := target.(*node).file
		errno := n.disk.do(Op{Kind: Link, File: n.file.id, Name: name, To: f.id})
		if errno == 0 {
			linked = n.child(ctx, f, out)
		}
		return errno
	})
	return linked, errno
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	return n.disk.Do(Op{Kind: Unlink, File: n.file.id, Name: name})
}

// Rmdir implements fs.NodeRmdirer.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno { return n.Unlink(ctx, name) }

// Rename implements fs.NodeRenamer.
func (n *node) Rename(_ context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to := parent.(*node).file
	return n.locked(func() syscall.Errno {
		switch {
		case flags&^unix.RENAME_NOREPLACE != 0:
			return syscall.EINVAL
		case flags != 0 && n.disk.lookup(to, newName) != nil:
			return syscall.EEXIST
		}
		return n.disk.do(Op{Kind: Rename, File: n.file.id, Name: name, To: to.id, New: newName})
	})
}

// Open implements fs.NodeOpener.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_TRUNC == 0 {
		return nil, fuse.FOPEN_KEEP_CACHE, 0
	}
	return nil, 0, n.disk.Do(Op{Kind: Truncate, File: n.file.id})
}

// Read implements fs.NodeReader.
func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	var size int
	errno := n.locked(func() syscall.Errno {
		size = n.file.read(dest, off)
		return 0
	})
	return fuse.ReadResultData(dest[:size]), errno
}

// Write implements fs.NodeWriter.
func (n *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	errno := n.disk.Do(Op{Kind: Write, File: n.file.id, Off: off, Data: data})
	return uint32(len(data)), errno
}

// Fsync implements fs.NodeFsyncer, for files and for directories.
func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return n.disk.Do(Op{Kind: Sync, File: n.file.id})
}

// Allocate implements fs.NodeAllocater: room is made by writing zeros.
func (n *node) Allocate(_ context.Context, _ fs.FileHandle, off, size uint64, mode uint32) syscall.Errno {
	if mode != 0 {
		return syscall.EOPNOTSUPP
	}
	return n.disk.Do(Op{Kind: Allocate, File: n.file.id, Off: int64(off), Size: int64(size)})
}

// Statfs implements fs.NodeStatfser.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	return n.locked(func() syscall.Errno {
		out.Bsize, out.Frsize, out.NameLen = SectorSize, SectorSize, 255
		out.Blocks = uint64(n.disk.options.Size / SectorSize)
		out.Bfree, out.Bavail = uint64(n.disk.free()), uint64(n.disk.free())
		out.Files, out.Ffree = 1<<20, 1<<20
		return 0
	})
}
