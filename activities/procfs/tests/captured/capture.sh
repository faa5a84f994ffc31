#!/usr/bin/env bash
# Captures the trees beside it anew: boots Debian's kernel and systemd in a virtual machine, three times, each with another
# set-up of cgroups, and has guest.py write down what the kernel says of services whose use is known.
# Needs root, and Debian's packages qemu-system-x86, mmdebstrap, e2fsprogs; no hardware beyond that: the machine is emulated. About 5 minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p')
mkdir root kernel
mmdebstrap --quiet --variant=essential --include=systemd-sysv,dbus,udev,dmsetup,e2fsprogs,python3-minimal,busybox-static,kmod "$suite" root
(cd kernel && apt-get download -qq "$kernel" && dpkg-deb -x ./*.deb .)

# A system of its own: no name, no id, and one service that does the work.
echo host >root/etc/hostname
: >root/etc/machine-id
cp "$here/guest.py" root/usr/local/bin/
cat >root/etc/systemd/system/capture.service <<UNIT
[Unit]
FailureAction=poweroff
[Service]
Type=oneshot
Nice=-20
ExecStart=/usr/local/bin/guest.py capture
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
UNIT
mkdir -p root/etc/systemd/system/multi-user.target.wants root/lib/modules
ln -s ../capture.service root/etc/systemd/system/multi-user.target.wants/
cp -r kernel/lib/modules/* root/lib/modules/
chroot root depmod "$(ls root/lib/modules)"

# The disk's driver is a module: a first root that loads it, and goes over to the second.
mkdir -p first/{bin,dev,proc,system}
cp root/bin/busybox first/bin/
modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk)
for module in "${modules[@]}"; do cp "$(find kernel -name "$module.ko")" first/; done
cat >first/init <<INIT
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in ${modules[*]}; do /bin/busybox insmod /\$module.ko; done
/bin/busybox mount -t ext4 /dev/vda /system
/bin/busybox mount --move /dev /system/dev
exec /bin/busybox switch_root /system /sbin/init
INIT
chmod 755 first/init
(cd first && find . | "$work/root/bin/busybox" cpio -o -H newc 2>/dev/null) >first.cpio

boot() { # NAME [KERNEL-ARGUMENT…]
  rm -f ./*.img
  truncate -s 1G system.img
  mke2fs -q -t ext4 -d root system.img
  truncate -s 16M result.img
  truncate -s 256M data.img
  local disk drives=()
  for disk in system result data; do drives+=(-drive "file=$disk.img,format=raw,if=virtio"); done
  timeout 600 nice -n -5 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nic none -nographic -no-reboot \
    -kernel kernel/boot/vmlinuz-* -initrd first.cpio "${drives[@]}" \
    -append "console=ttyS0 quiet panic=-1 psi=1 root=/dev/vda ${*:2}" >"$1.log" </dev/null
  rm -rf "${here:?}/$1"
  mkdir "$here/$1"
  tar -xf result.img -C "$here/$1" && [ -s "$here/$1/then.txt" ] || { tail -n 40 "$1.log" >&2; exit 1; }
}

boot v2 systemd.unified_cgroup_hierarchy=1
boot hybrid systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=0
boot v1 systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1
