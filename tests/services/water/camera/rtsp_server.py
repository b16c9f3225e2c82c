"""A real RTSP server (GStreamer's) that plays a folder of JPEG frames in a loop: run by the system's Python, which has
GStreamer's bindings. Prints "ready PORT", ends with its input."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

folder, rate = sys.argv[1], sys.argv[2]
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_service("0")
server.set_address("127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( multifilesrc location={folder}/%04d.jpg loop=true caps=image/jpeg,framerate={rate}/1 ! jpegdec ! videorate ! video/x-raw,framerate={rate}/1 ! jpegenc quality=95 ! rtpjpegpay name=pay0 pt=26 )"
)
factory.set_shared(False)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
sys.stdout.write(f"ready {server.get_bound_port()}\n")
sys.stdout.flush()
loop = GLib.MainLoop()
GLib.io_add_watch(sys.stdin, GLib.IO_HUP | GLib.IO_IN, lambda *_: loop.quit())
loop.run()
