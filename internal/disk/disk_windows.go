package disk

import "golang.org/x/sys/windows"

// Measure tells the room of the file system that holds path.
func Measure(path string) (Space, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return Space{}, err
	}
	var free, total, all uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, &total, &all); err != nil {
		return Space{}, err
	}
	return Space{Free: int64(free), Total: int64(total)}, nil
}

func fullTexts() []string {
	return []string{windows.ERROR_DISK_FULL.Error(), windows.ERROR_HANDLE_DISK_FULL.Error()}
}
