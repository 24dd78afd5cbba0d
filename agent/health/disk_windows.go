package health

import "golang.org/x/sys/windows"

// lowSpace is where results still fit and evidence is shed.
const lowSpace = 512 << 20

func diskSpace(dir string) Check {
	path, err := windows.UTF16PtrFromString(dir)
	var free uint64
	if err == nil {
		err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	}
	if err != nil {
		return problem("disk_space", Warning, "", "cannot be measured: %v", err)
	}
	if free < lowSpace {
		return problem("disk_space", Failed, "make room: below 256 MiB evidence is no longer kept", "%d MiB free", free>>20)
	}
	return ok("disk_space", "%d MiB free", free>>20)
}
