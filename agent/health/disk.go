package health

import (
	"os"
	"path/filepath"

	"branchbot/agent/space"
	"branchbot/configs"
	"branchbot/internal/disk"
)

// diskSpace judges the data folder's disk by the limits that the agent goes by.
func diskSpace(config configs.Device) Check {
	dir := config.Data
	found, err := disk.Measure(dir)
	for os.IsNotExist(err) && dir != filepath.Dir(dir) { // not made yet: its parent's disk
		dir = filepath.Dir(dir)
		found, err = disk.Measure(dir)
	}
	if err != nil {
		return problem("disk_space", Warning, "", "cannot be measured: %v", err)
	}
	low, critical := space.Limits(int64(config.Disk.Low), int64(config.Disk.Critical), found.Total)
	const remedy = "free disk space on the drive of the data folder; branchbot goes on by itself"
	switch free := found.Free; {
	case free < critical:
		return problem("disk_space", Failed, remedy, "critical: %d MiB free, below %d MiB no run begins; results are kept", free>>20, critical>>20)
	case free < low:
		return problem("disk_space", Warning, remedy, "low: %d MiB free, below %d MiB no new pictures are kept", free>>20, low>>20)
	default:
		return ok("disk_space", "%d MiB free", free>>20)
	}
}
