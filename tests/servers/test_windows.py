"""What only Windows has: a command that is complete by itself."""
import re
import subprocess

import harness

# What every Windows 10 has in its own folder.
SYSTEM_LIBRARIES = {
    'advapi32.dll', 'bcrypt.dll', 'crypt32.dll', 'gdi32.dll', 'kernel32.dll', 'msvcrt.dll',
    'ntdll.dll', 'user32.dll', 'ws2_32.dll',
}


class Windows(harness.Case):
    def headers(self):
        return subprocess.run(['x86_64-w64-mingw32-objdump', '-p', harness.TERN], check=True,
                              capture_output=True, text=True, timeout=harness.PATIENCE_S).stdout

    def test_it_needs_no_library_beyond_the_system_s(self):
        imports = {name.lower() for name in re.findall(r'DLL Name: (\S+)', self.headers())}
        self.assertIn('ws2_32.dll', imports)
        self.assertLessEqual(imports, SYSTEM_LIBRARIES)

    def test_it_asks_for_no_window(self):
        self.assertRegex(self.headers(), r'Subsystem\s+\w+\s+\(Windows CUI\)')


if __name__ == '__main__':
    harness.main()
