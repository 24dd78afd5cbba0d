// Package processes finds operating-system processes: what runs below an agent,
// and what was left behind.
//
// A process is known by its number and start time, so that a number used again
// is not mistaken for it. Processes that have ended and only wait to be collected
// (zombies) are not running and are left out. It reads /proc and so finds
// processes on Linux only.
package processes
