#!/bin/sh
# Makes the image of machine.skr8tr: Debian's cloud kernel, and busybox with an init of its own.
set -eu
rm -rf dist/machine dist/tree
mkdir -p dist/machine dist/tree/bin dist/tree/proc
cp "$(ls /boot/vmlinuz-*cloud* | tail -n 1)" dist/machine/vmlinuz
cp /usr/bin/busybox dist/tree/bin/
cat >dist/tree/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
read -r words </proc/cmdline
echo "machine on ${words##*node=} is up"
exec /bin/busybox sleep 1000000
INIT
chmod +x dist/tree/init
(cd dist/tree && find . | cpio --quiet -o -H newc | gzip >../machine/initrd)
